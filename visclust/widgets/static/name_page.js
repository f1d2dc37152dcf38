// The first page of a server on which people type their names.

function mountNamePage() {
  const root = document.getElementById("visclust-root");
  const label = makeElement("label", "", "Your name");
  const input = makeElement("input", "");
  const button = makeElement("button", "go", "Start");
  const said = makeElement("p", "alarm");
  Object.assign(input, { id: "name", maxLength: 100, autocomplete: "off", autofocus: true });
  label.htmlFor = "name";
  button.type = "button";
  said.setAttribute("role", "status");

  async function start() {
    said.textContent = "";
    if (!input.value.trim()) {
      said.textContent = "Type your name first.";
      return;
    }
    button.disabled = true;
    try {
      const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name: input.value }) };
      const reply = await fetch("/api/name", options);
      const body = await reply.json();
      if (reply.ok) location.href = body.page;
      else said.textContent = body.error;
    } catch {
      said.textContent = "The server does not answer. Try again.";
    }
    button.disabled = false;
  }

  button.addEventListener("click", () => void start());
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") void start(); });
  root.append(label, input, button, said);
  input.focus();
}

mountNamePage();
