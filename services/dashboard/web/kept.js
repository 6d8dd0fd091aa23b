// What this browser keeps for one user until the dashboard has it: answers on their way, and drafts of masks. In IndexedDB; without one, in memory.

const NAMES = ["answers", "drafts"];
const KEEP_DRAFTS_MS = 7 * 86_400_000;

export class Kept {
  /** Nobody gets to see or to send what another user of this browser left. */
  constructor(user) {
    this.name = `loupe-review-${user}`;
    this.memory = Object.fromEntries(NAMES.map((name) => [name, new Map()]));
    this.opened = open(this.name);
  }

  get(name, key) {
    return this.ask(name, "readonly", (store) => store.get(key), (map) => map.get(key));
  }

  /** In the order of their keys. */
  all(name) {
    return this.ask(name, "readonly", (store) => store.getAll(), (map) => [...map.values()].sort((one, other) => (one.key < other.key ? -1 : 1)));
  }

  /** Resolves when it is on the disk. */
  put(name, one) {
    return this.ask(name, "readwrite", (store) => store.put(one), (map) => map.set(one.key, one));
  }

  drop(name, key) {
    return this.ask(name, "readwrite", (store) => store.delete(key), (map) => map.delete(key));
  }

  async forgetOldDrafts() {
    for (const draft of await this.all("drafts")) if (draft.at < Date.now() - KEEP_DRAFTS_MS) await this.drop("drafts", draft.key);
  }

  async ask(name, mode, stored, remembered) {
    const database = await this.opened;
    if (!database) return remembered(this.memory[name]);
    return transact(database, name, mode, stored).catch(() => {
      this.opened = Promise.resolve(null); // the disk is full, or the browser's data was cleared
      return remembered(this.memory[name]);
    });
  }
}

function transact(database, name, mode, stored) {
  return new Promise((answer, refuse) => {
    const transaction = database.transaction(name, mode);
    const request = stored(transaction.objectStore(name));
    transaction.oncomplete = () => answer(request.result);
    transaction.onabort = transaction.onerror = () => refuse(transaction.error);
  });
}

function open(name) {
  return new Promise((answer) => {
    const request = window.indexedDB?.open(name, 1);
    if (!request) return answer(null);
    request.onupgradeneeded = () => NAMES.forEach((one) => request.result.createObjectStore(one, { keyPath: "key" }));
    request.onsuccess = () => answer(request.result);
    request.onerror = () => answer(null); // a private window of some browsers has none
  });
}
