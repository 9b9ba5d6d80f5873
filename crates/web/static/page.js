// The page: a thin shell that shows what the worker tells, and outlives it. When the worker's core dies, the
// page stays as it is, says so, and starts another worker, which sets aside what the last one died of.

const AT_MOST = 20;
const WITHIN_MS = 60000;

const at = (id) => document.getElementById(id);
const notes = at("notes");
const deaths = [];
let worker;
let edits = 0;

function say(id, sentence) {
  at(id).textContent = sentence;
  at(id).hidden = sentence === "";
}

function start() {
  worker = new Worker("./worker.js", { type: "module" });
  worker.onmessage = ({ data }) => hear[data.type]?.(data);
  // A worker that cannot even begin, or ended where nothing could catch it.
  worker.onerror = (event) => {
    event.preventDefault();
    died({ engine: false, kind: "error" });
  };
}

function died({ engine, kind }) {
  worker.terminate();
  deaths.push(Date.now());
  document.body.dataset.deaths = String(Number(document.body.dataset.deaths ?? 0) + 1);
  document.body.dataset.lastDeath = `${kind} ${engine ? "engine" : "elsewhere"}`;
  const lately = deaths.filter((when) => Date.now() - when < WITHIN_MS).length;
  if (lately > AT_MOST) {
    say("word", "Stopped");
    say("trouble", "The app stops again and again. Update the app; nothing that was saved is lost.");
    return;
  }
  say("word", "Starting again");
  say("trouble", "A part of the app stopped and was started again. Nothing that was saved is lost.");
  start();
}

const hear = {
  died,
  waiting: () => say("word", "Waiting: this tablet may be open in another window"),
  ready: () => {
    at("keys").hidden = true;
    say("word", "Ready");
  },
  needs_keys: () => {
    at("keys").hidden = false;
    say("word", "This tablet is not set up yet");
  },
  connection: ({ sentence }) => say("connection", sentence),
  trouble: ({ sentence }) => say("trouble", sentence),
  notes: ({ notes: rows }) => show(rows),
  saved: ({ id }) => answer(id, "Saved on this tablet"),
  refused: ({ id, sentence }) => answer(id, sentence),
};

function answer(id, sentence) {
  const word = notes.querySelector(`[data-edit="${id}"]`);
  if (word) word.textContent = sentence;
}

function show(rows) {
  const known = new Map([...notes.children].map((item) => [item.dataset.document, item]));
  for (const row of rows) {
    const item = known.get(row.document) ?? notes.appendChild(made(row.document));
    known.delete(row.document);
    item.querySelector(".what").textContent = `${row.kind} ${row.dates.join(", ")}`;
    item.querySelector(".words").textContent = row.words;
    const sentence = item.querySelector(".cannot-be-shown");
    sentence.textContent = row.cannot_be_shown ?? "";
    sentence.hidden = !row.cannot_be_shown;
    item.querySelector(".objective").textContent = row.text.objective ?? "";
    const field = item.querySelector("input");
    // What somebody is typing, or is about to, is theirs.
    if (!field.dataset.dirty && field !== document.activeElement) field.value = row.education;
  }
  for (const gone of known.values()) gone.remove();
}

function made(id) {
  const item = document.createElement("li");
  item.dataset.document = id;
  const add = (tag, name) => {
    const part = item.appendChild(document.createElement(tag));
    part.className = name;
    return part;
  };
  add("h3", "what");
  add("p", "words");
  add("p", "cannot-be-shown");
  add("p", "objective");
  const form = add("form", "edit");
  const label = form.appendChild(document.createElement("label"));
  label.append("Education given ");
  const field = label.appendChild(document.createElement("input"));
  field.name = "education";
  field.oninput = () => (field.dataset.dirty = "yes");
  form.appendChild(document.createElement("button")).textContent = "Save";
  const word = form.appendChild(document.createElement("span"));
  word.setAttribute("role", "status");
  form.onsubmit = (event) => {
    event.preventDefault();
    word.dataset.edit = String(++edits);
    word.textContent = "Saving";
    delete field.dataset.dirty;
    const commands = [{ command: "set_field", field: "education", value: field.value }];
    worker.postMessage({ type: "edit", id: word.dataset.edit, document: id, commands });
  };
  return item;
}

at("keys").onsubmit = (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  worker.postMessage({ type: "keys", keys: given.get("keys"), person: given.get("person") });
};

start();
