// Answers on their way to the dashboard: kept in the browser first, sent one after the other, again and again until each is acknowledged or refused.
//
// Every answer has an id made here, so that sending it twice changes nothing; a page that was closed sends the rest when it is opened again.
import { reactive } from "vue";
import { call } from "loupe/rest.js";

const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [1000, 10_000];
const DEEDS = { verdict: sendVerdict, skip: sendSkip, undo: sendUndo };

/** 128 random bits. crypto.randomUUID is only there on TLS and on loopback. */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Answers {
  /** `told(answer, result)` of each that arrived, `refused(answer, error)` of each that did not and is not tried again. */
  constructor(kept, { told, refused }) {
    Object.assign(this, { kept, told, refused, waits: FIRST_WAIT_MS, sending: false, asked: false, trying: null, storing: Promise.resolve() });
    this.state = reactive({ waiting: [], away: false, stuck: "" });
    this.count = 0;
    this.online = () => this.send();
    window.addEventListener("online", this.online);
  }

  /** Sends what an earlier page left. */
  async resume() {
    this.state.waiting = (await this.kept.all("answers")).map(withoutBytes);
    this.send();
  }

  /** `answer`: deed, frame_id, id, and for a verdict its fields; `png` may still be being made. */
  add(answer, png = null) {
    const made = { ...answer, key: `${String(Date.now()).padStart(15, "0")}-${String(this.count++).padStart(6, "0")}-${answer.id}`, at: Date.now() };
    this.state.waiting.push(made);
    this.storing = this.storing.then(async () => {
      await this.kept.put("answers", { ...made, png: await png });
      this.send();
    });
    return this.storing;
  }

  /** Takes back one that has not been sent yet; false where it may be on its way already. */
  async retract(id) {
    await this.storing;
    const found = this.state.waiting.find((answer) => answer.id === id);
    if (!found || this.trying === id || !this.state.away) return false;
    await this.forget(found.key);
    return true;
  }

  waitsFor(frameId) {
    return this.state.waiting.some((answer) => answer.frame_id === frameId);
  }

  /** One sender in a browser, however many tabs are open; where locks are missing, ids keep two senders harmless. */
  async send() {
    clearTimeout(this.later);
    this.asked = true;
    if (this.sending) return;
    this.sending = true;
    while (this.asked) {
      this.asked = false;
      await (navigator.locks ? navigator.locks.request(this.kept.name, () => this.sendAll()) : this.sendAll());
    }
    this.sending = false;
  }

  async sendAll() {
    for (let [next] = await this.kept.all("answers"); next; [next] = await this.kept.all("answers")) {
      this.trying = next.id;
      const error = await this.attempt(next);
      this.trying = null;
      if (error && mayPass(error)) return this.retry(error);
      Object.assign(this.state, { away: false, stuck: "" });
      this.waits = FIRST_WAIT_MS;
      await this.forget(next.key);
      if (error) this.refused(next, error);
      else this.told(next, this.result);
    }
  }

  async attempt(answer) {
    try {
      this.result = await DEEDS[answer.deed](answer);
      return null;
    } catch (error) {
      return error;
    }
  }

  retry(error) {
    Object.assign(this.state, { away: true, stuck: error.status === 403 ? "Somebody has logged in anew in this browser: load this page again" : error.status ? error.message : "" });
    this.later = setTimeout(() => this.send(), this.waits);
    this.waits = Math.min(2 * this.waits, LONGEST_WAIT_MS);
  }

  async forget(key) {
    await this.kept.drop("answers", key);
    this.state.waiting = this.state.waiting.filter((answer) => answer.key !== key);
  }

  close() {
    window.removeEventListener("online", this.online);
    clearTimeout(this.later);
  }
}

/** No answer, an outage, a login that has ended or was made anew (then the token is refused): none of these says anything of the answer itself. */
const mayPass = ({ status, message }) => !status || status >= 500 || [401, 408, 429].includes(status) || (status === 403 && message.startsWith("x-csrf-token"));

const withoutBytes = ({ png, ...answer }) => answer;

function sendVerdict({ frame_id, id, fields, png }) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, verdict_id: id })) if (value !== null && value !== undefined && value !== "") form.append(name, String(value));
  if (png) form.append("mask", new Blob([png], { type: "image/png" }), "mask.png");
  return call("POST", `review/frames/${frame_id}/verdict`, form);
}

function sendSkip({ frame_id }) {
  return call("POST", `review/frames/${frame_id}/skip`);
}

function sendUndo({ frame_id, of }) {
  return call("POST", `review/frames/${frame_id}/undo?verdict_id=${of}`);
}
