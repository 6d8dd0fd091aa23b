// The page of lines: what judges each, its cameras and what it makes; a form for a new one; and how a line without a model gets its first.
//
// The opened line is in the address.
import { base } from "loupe/base.js";
import { Icon } from "loupe/icon.js";
import { LinesBirth } from "loupe/linesbirth.js";
import { LinesForm } from "loupe/linesform.js";
import { call } from "loupe/rest.js";
import { cameraOf, short } from "loupe/words.js";

const EVERY_MS = 3000;
const RECORDS = { word: "Records only", icon: "record", tone: "calm" };
const PAUSED = { word: "Paused", icon: "pause", tone: "warn" };

export default {
  components: { Icon, LinesBirth, LinesForm },
  props: { zone: String, role: String },
  data: () => ({ lines: [], asked: new URLSearchParams(location.search).get("line"), adding: false, problem: "", told: "", read: false }),
  computed: {
    admin: ({ role }) => role === "admin",
    opened: ({ lines, asked }) => lines.find((line) => line.id === asked) ?? null,
    unborn: ({ opened }) => opened !== null && !judged(opened),
  },
  mounted() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), EVERY_MS);
    addEventListener("popstate", (this.back = () => (this.asked = new URLSearchParams(location.search).get("line"))));
  },
  beforeUnmount() {
    clearInterval(this.timer);
    removeEventListener("popstate", this.back);
  },
  methods: {
    cameraOf,
    short,
    href: (line) => (judged(line) ? `${base}/line/${line.id}` : `${base}/lines?line=${encodeURIComponent(line.id)}`),
    stateOf: (line) => (line.state === "paused" ? PAUSED : judged(line) ? { word: `Judged by ${line.model_version ? short(line.model_version) : "product"}`, icon: "signal", tone: line.state === "no-signal" ? "calm" : "ok" } : RECORDS),
    async load() {
      try {
        Object.assign(this, { lines: await call("GET", "lines"), problem: "", read: true });
      } catch (error) {
        this.problem = error.message;
      }
    },
    open(line) {
      if (judged(line)) return location.assign(this.href(line));
      Object.assign(this, { asked: line.id, told: "" });
      history.pushState(null, "", this.href(line));
    },
    async added(id) {
      this.adding = false;
      await this.load();
      const line = this.lines.find((one) => one.id === id);
      if (line) this.open(line);
    },
    async started() {
      this.told = `${this.opened.name} is judged from now on.`;
      await this.load();
    },
  },
  template: `
    <div class="lp-page lp-lines" :data-read="read ? lines.length : null">
      <div class="lp-bar">
        <div class="lp-title"><h1>Lines</h1></div>
        <button v-if="admin && !adding" class="lp-primary" type="button" @click="adding = true"><Icon name="plus" />New line</button>
      </div>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <p v-if="told" class="lp-card lp-alert lp-good" role="status" data-told><Icon name="check" />{{ told }} <a :href="href(opened)">See it</a></p>
      <LinesForm v-if="adding" @added="added" @close="adding = false" />
      <section class="lp-card lp-listed" aria-label="Lines"><div class="lp-scroll"><table class="lp-table">
        <thead><tr><th scope="col">Line</th><th scope="col">State</th><th scope="col">Product</th><th scope="col">Cameras</th><th scope="col"><span class="lp-hidden">Actions</span></th></tr></thead>
        <tbody><tr v-for="line in lines" :key="line.id" :data-line="line.id" :class="{ 'lp-chosen': line.id === asked }">
          <th scope="row"><a :href="href(line)" @click.exact.prevent="open(line)">{{ line.name }}</a> <small v-if="line.name !== line.id" class="lp-quiet">{{ line.id }}</small></th>
          <td><span class="lp-chip" :class="'lp-' + stateOf(line).tone"><Icon :name="stateOf(line).icon" />{{ stateOf(line).word }}</span></td>
          <td>{{ line.product ?? '–' }}</td>
          <td class="lp-sources"><div v-for="camera in line.cameras" :key="camera.id"><Icon :name="cameraOf(camera.state).icon" :class="'lp-' + cameraOf(camera.state).tone" :aria-label="cameraOf(camera.state).word" /> {{ camera.id }} <code>{{ camera.source }}</code><small v-if="camera.error" class="lp-bad">{{ camera.error }}</small></div></td>
          <td class="lp-acts"><a class="lp-plain" :href="href(line)" @click.exact.prevent="open(line)">{{ stateOf(line).word === 'Records only' ? 'First model' : 'Open' }}</a></td>
        </tr></tbody>
      </table></div><p v-if="read && !lines.length" class="lp-hint">No line yet.</p></section>
      <LinesBirth v-if="unborn" :key="opened.id" :line="opened" :zone="zone" :role="role" @started="started" />
    </div>`,
};

const judged = (line) => line.model_version !== null || line.products.length > 0;
