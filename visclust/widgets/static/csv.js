// Tables as CSV, byte for byte as format_csv in base/files.py writes them.

// A spreadsheet runs text as a formula that begins so, whatever spaces, quotation marks and unseen signs stand before.
// Where the semicolon parts cells, quotation marks within a line do not hold: a cell may begin inside the text.
const UNSEEN = "\\u007f-\\u00a0\\u00ad\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u2064\\u3000\\ufeff"
  + "\"'`\\u00b4\\u2018-\\u201f\\u00ab\\u00bb\\u2039\\u203a\\uff02\\uff07";
const SIGN = "[=+\\-@\\ufe62\\ufe63\\ufe66\\ufe6b\\uff0b\\uff0d\\uff1d\\uff20]";
const FORMULA = new RegExp(`^(?:[\\t\\r\\n']|[\\u0000-\\u0020${UNSEEN}]*${SIGN})`, "u");
const INNER_FORMULA = new RegExp(`([;\\t\\r\\n])(?='|[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u0020${UNSEEN}]*${SIGN})`, "gu");
const QUOTED = /[",;\t\r\n]|^ | $/u;

function formatCell(value, isFloat = false) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return formatNumber(value, isFloat);
  const text = String(value).toWellFormed?.() ?? String(value); // the file would get the same sign for half a character
  const inside = text.replace(INNER_FORMULA, "$1'");
  return quoteCell(FORMULA.test(text) ? `'${inside}` : inside);
}

function formatNumber(value, isFloat) {
  // In the fewest digits that give it back. Here 2 and 2.0 are one number; a column of floats writes the second.
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && !isFloat) return BigInt(value).toString();
  const [digits, power] = value.toExponential().split("e");
  if (value === 0 || (power >= -4 && power < 16)) {
    return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
  }
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

function quoteCell(text) {
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// The columns named in `floats` hold numbers that are not counted in whole ones.
function writeCsv(header, rows, floats = []) {
  const areFloats = header.map((name) => floats.includes(name));
  const write = (row, kinds) => row.map((value, at) => formatCell(value, kinds[at])).join(",") || '""';
  const lines = [write(header, []), ...rows.map((row) => write(row, areFloats))];
  return `\ufeff${lines.map((line) => `${line}\r\n`).join("")}`; // with the mark by which spreadsheets know UTF-8
}
