// The worker: the tablet's core, the browser's store and the socket. It draws nothing and decides nothing.
//
// The log is a list of records in IndexedDB, added with strict durability and never altered; nothing counts
// as saved before its record's transaction is complete. What the core throws as a text is a refusal; anything
// else is its death: the worker notes whether the document engine was at work and says so to the page.

import init, { Core } from "./core.js";

const DATABASE = "gaitway";
const RETRY_MS = 2000;
const LONGEST_WAIT_MS = 60000;

let engineAtWork = false;
globalThis.gaitwayEngine = (atWork) => {
  engineAtWork = atWork;
};

let database;
let core;
let server;
let socket;
let timer;
let dead = false;
let pumping = false;
let again = false;
let endKnown = false;
const asked = new Map();

const tell = (type, rest = {}) => postMessage({ type, ...rest });

// ---- the browser's store

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser's store refused"));
  });
}

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("log", { autoIncrement: true });
    request.result.createObjectStore("meta");
  };
  return answered(request);
}

async function put(values) {
  const transaction = database.transaction("meta", "readwrite", { durability: "strict" });
  for (const [name, value] of Object.entries(values)) transaction.objectStore("meta").put(value, name);
  return finished(transaction);
}

const meta = (name) => answered(database.transaction("meta").objectStore("meta").get(name));

async function add(record) {
  const transaction = database.transaction(["log", "meta"], "readwrite", { durability: "strict" });
  transaction.objectStore("log").add(record);
  // With its first record this run has written down what the end of the last one meant.
  if (endKnown) transaction.objectStore("meta").delete("end");
  await finished(transaction);
  endKnown = false;
}

// ---- the core

class Refused extends Error {}

function call(act) {
  try {
    return act();
  } catch (thrown) {
    if (typeof thrown === "string") throw new Refused(thrown);
    throw thrown;
  }
}

async function die(thrown) {
  if (dead) return;
  dead = true;
  clearTimeout(timer);
  const engine = engineAtWork;
  try {
    socket?.close();
    await put({ end: engine ? "engine" : "unknown" });
  } catch {
    // The mark in the log stands without this word.
  }
  tell("died", { engine, kind: thrown?.name ?? "unknown" });
}

// Runs something that touches the core; what is not a refusal ends this worker.
async function alive(act) {
  if (dead) return;
  try {
    await act();
  } catch (thrown) {
    if (thrown instanceof Refused) tell("trouble", { sentence: thrown.message });
    else await die(thrown);
  }
}

async function write() {
  for (let record = call(() => core.poll_commit()); record; record = call(() => core.poll_commit())) {
    try {
      await add(record);
    } catch {
      call(() => core.commit_failed("the browser's store refused; free space on this device"));
      setTimeout(() => alive(() => (call(() => core.retry_commit()), pump())), RETRY_MS);
      return;
    }
    call(() => core.committed(Date.now()));
  }
}

function send() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (let frame = call(() => core.poll_transmit()); frame; frame = call(() => core.poll_transmit())) {
    socket.send(frame);
  }
}

function hear() {
  let news = false;
  for (const event of JSON.parse(call(() => core.events()))) {
    news = true;
    if (event.event === "saved") {
      tell("saved", { id: asked.get(event.ticket) });
      asked.delete(event.ticket);
    } else if (event.event === "connect") connect();
    else if (event.event === "close") socket?.close();
    else if (event.event === "online") tell("connection", { sentence: "Connected to the clinic" });
    else if (event.event === "offline") tell("connection", { sentence: `Offline: ${event.sentence}` });
    else if (event.event === "not_saved") tell("trouble", { sentence: `Not saved: ${event.sentence}` });
    else if (event.event === "revoked") tell("trouble", { sentence: event.sentence });
  }
  if (news) show();
}

function show() {
  const notes = JSON.parse(call(() => core.list())).map((row) => {
    const note = JSON.parse(call(() => core.note(row.document)));
    return {
      ...row,
      cannot_be_shown: note.cannot_be_shown,
      text: note.visit?.text ?? {},
      education: note.visit?.fields?.education ?? "",
    };
  });
  tell("notes", { notes });
}

async function pump() {
  if (pumping) {
    again = true;
    return;
  }
  pumping = true;
  try {
    do {
      again = false;
      const due = call(() => core.poll_timeout());
      if (due !== undefined && due <= Date.now()) call(() => core.timeout(Date.now()));
      await write();
      if (dead) return;
      send();
      hear();
    } while (again);
  } finally {
    pumping = false;
  }
  clearTimeout(timer);
  const due = call(() => core.poll_timeout());
  const wait = Math.min(Math.max((due ?? Infinity) - Date.now(), 0), LONGEST_WAIT_MS);
  timer = setTimeout(() => alive(pump), wait);
}

// ---- the socket

function connect() {
  if (dead || socket) return;
  const mine = new WebSocket(`${server.replace(/^http/, "ws")}/v1/sync`);
  mine.binaryType = "arraybuffer";
  socket = mine;
  mine.onopen = () => alive(() => (call(() => core.connected(Date.now())), pump()));
  mine.onmessage = (message) =>
    alive(async () => {
      try {
        call(() => core.frame(Date.now(), new Uint8Array(message.data)));
      } catch (thrown) {
        if (!(thrown instanceof Refused)) throw thrown;
        mine.close();
      }
      return pump();
    });
  mine.onclose = () =>
    alive(() => {
      if (socket !== mine) return;
      socket = undefined;
      call(() => core.disconnected(Date.now()));
      return pump();
    });
}

// ---- the beginning

async function open(keys, person) {
  let epoch = await meta("epoch");
  if (!epoch) {
    epoch = crypto.getRandomValues(new Uint8Array(16));
    await put({ epoch });
  }
  const opening = call(() => new Core(epoch));
  const records = await answered(database.transaction("log").objectStore("log").getAll());
  for (const record of records) call(() => opening.record(record));
  const end = await meta("end");
  call(() => opening.open(keys, person, end === "engine"));
  endKnown = end !== undefined;
  server = JSON.parse(keys).server.replace(/\/$/, "");
  core = opening;
  tell("ready");
  show();
  await pump();
  connect();
}

async function begin() {
  await init({ module_or_path: new URL("core_bg.wasm", import.meta.url) });
  database = await openDatabase();
  const [keys, person] = [await meta("keys"), await meta("person")];
  if (keys) await open(keys, person);
  else tell("needs_keys");
}

onmessage = ({ data }) =>
  alive(async () => {
    if (data.type === "keys" && !core) {
      await open(data.keys, data.person);
      await put({ keys: data.keys, person: data.person });
    } else if (data.type === "edit" && core) {
      try {
        const ticket = call(() => core.edit(Date.now(), data.document, JSON.stringify(data.commands)));
        asked.set(ticket, data.id);
      } catch (thrown) {
        if (!(thrown instanceof Refused)) throw thrown;
        tell("refused", { id: data.id, sentence: thrown.message });
      }
      await pump();
    }
  });

// One worker at a time has the log; it is let go when the worker ends, however it ends.
tell("waiting");
navigator.locks.request("gaitway tablet", () => {
  alive(begin);
  return new Promise(() => {});
});
