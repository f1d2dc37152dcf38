// A file that the annotator chose, which gets all answers at each answer, beside the store of the browser. It is
// read before it is written, so that what it holds already, from another tab or an earlier visit, stays in it.

function answerFile(handle, annotator) {
  let told = "";

  function readRows(text) {
    const lines = text.split("\n");
    const found = lines.map((line) => (line.trim() ? attempt(() => JSON.parse(line), null) : undefined));
    const foreign = found.findIndex((row) => row !== undefined && (typeof row?.event_id !== "string" || typeof row.annotator !== "string"));
    if (foreign >= 0) throw new Error(`Line ${foreign + 1} of ${handle.name} is no answer, or is damaged: choose a new file.`);
    const rows = found.filter(Boolean);
    const other = rows.find((row) => foldName(row.annotator) !== foldName(annotator));
    if (other) throw new Error(`${handle.name} holds answers of ${other.annotator}: choose a new file.`);
    return rows;
  }

  async function read() {
    const file = await handle.getFile();
    return readRows(await file.text());
  }

  return {
    handle,
    name: handle.name,
    read,
    describe: () => told,
    // Resolves once the browser has put the whole file in place.
    async write(rows) {
      try {
        const given = new Set(rows.map((row) => row.event_id));
        const others = (await read()).filter((row) => !given.has(row.event_id));
        const writable = await handle.createWritable();
        try {
          await writable.write([...others, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(""));
        } catch (error) {
          await attempt(() => writable.abort());
          throw error;
        }
        await writable.close();
        told = `${rows.length} answers are also in ${handle.name}.`;
      } catch (error) {
        told = `${handle.name} could not be written (${error?.name === "Error" ? error.message : error?.name}).`;
        throw error;
      }
    },
  };
}

function foldName(name) {
  // As fold_identity in Python: case, spaces, unseen signs and the way of typing accents tell no two people apart.
  const words = name.replace(/\p{Cf}/gu, "").split(/[\s\u001c-\u001f\u0085]+/u).filter(Boolean);
  const fold = (text) => text.toLowerCase().toUpperCase().toLowerCase();
  return words.join(" ").normalize("NFD").split("\u0131").map(fold).join("\u0131").normalize("NFC"); // no Turkish i
}
