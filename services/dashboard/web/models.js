// The page of models: which version judges which line, all that judged or might, two of them beside each other, and the way back.
//
// What others change is asked for every ten seconds while somebody looks. Line and opened version are in the address.
import { Ask } from "loupe/ask.js";
import { base } from "loupe/base.js";
import { Icon } from "loupe/icon.js";
import { ModelsCompare } from "loupe/modelscompare.js";
import { ModelsVersion } from "loupe/modelsversion.js";
import { MEASURES, STATES, byChampion } from "loupe/modelswords.js";
import { call } from "loupe/rest.js";
import { count, day, score, short } from "loupe/words.js";

const EVERY_MS = 10_000;
const JOBS = { retrain: "Retraining", first: "First training" };

export default {
  components: { Ask, Icon, ModelsCompare, ModelsVersion },
  props: { zone: String, role: String },
  data() {
    const asked = new URLSearchParams(location.search);
    return { MEASURES, lines: [], versions: {}, replicas: null, holding: null, line: asked.get("line") ?? "", opened: asked.get("version") ?? "", chosen: [], decided: {}, problem: "", told: "", busy: false, read: false };
  },
  computed: {
    may: ({ role }) => role !== "operator",
    names: ({ lines }) => Object.fromEntries(lines.map((line) => [line.id, line.name])),
    shown: ({ lines, line }) => lines.filter((one) => !line || one.id === line),
    judging: ({ shown, versions }) =>
      shown.flatMap((line) => {
        const those = (versions[line.id] ?? []).flatMap((one) => one.products.map((product) => ({ line, product, one, by: one.activations.find((each) => each.product === product) })));
        return those.length ? those : [{ line, product: null, one: null, by: null }];
      }),
    /** The opened version, as the line that was looked at knows it. */
    details: ({ shown, versions, opened }) => shown.flatMap((line) => (versions[line.id] ?? []).map((one) => ({ line: line.id, one }))).find(({ line, one }) => `${line}/${one.id}` === opened),
    held: ({ holding }) => {
      if (holding === null) return "Which version each holds is not known just now.";
      if (!holding.length) return "None runs just now.";
      return `Loaded just now: ${holding.map(({ versions }, place) => `replica ${place + 1} ${versions === null ? "has not said" : versions.map(short).join(", ") || "nothing"}`).join("; ")}.`;
    },
    pair: ({ chosen, versions }) => (chosen.length === 2 ? chosen.map(({ line, id }) => versions[line]?.find((one) => one.id === id)) : null),
  },
  watch: {
    line() {
      Object.assign(this, { chosen: [], opened: "" });
      this.remember();
      this.load();
    },
    opened: "remember",
  },
  mounted() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), EVERY_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
  },
  methods: {
    count,
    day,
    score,
    short,
    stateOf: (one) => STATES[one.state],
    job: (one) => `${base}/training?job=${encodeURIComponent(one.job)}`,
    kindOf: (one) => JOBS[one.job_kind],
    thresholds: (line) => `${base}/line/${line.id}/thresholds`,
    /** The list of lines follows the wall, which is a moment behind: what was decided here counts until it says the same. */
    automatic(line) {
      return this.decided[line.id] ?? line.promote_automatically;
    },
    back(line) {
      return this.versions[line.id]?.find((one) => one.comes_back) ?? null;
    },
    figure(line, one, { name, show }) {
      const value = one.measures[name]?.candidate ?? byChampion(one, this.versions[line.id])[name] ?? null;
      return value === null ? "–" : show(value);
    },
    picked(line, one) {
      return this.chosen.some((each) => each.line === line.id && each.id === one.id);
    },
    /** Two at most, of one line; the one that was chosen first makes room. */
    async pick(line, one) {
      const others = this.chosen.filter((each) => each.line === line.id && each.id !== one.id);
      this.chosen = this.picked(line, one) ? others : [...others.slice(-1), { line: line.id, id: one.id }];
    },
    open(line, one) {
      const key = `${line.id}/${one.id}`;
      this.opened = this.opened === key ? "" : key;
    },
    remember() {
      const query = new URLSearchParams({ ...(this.line ? { line: this.line } : {}), ...(this.opened ? { version: this.opened } : {}) }).toString();
      history.replaceState(null, "", `${base}/models${query ? `?${query}` : ""}`);
    },
    async load() {
      const turn = (this.turn = (this.turn ?? 0) + 1);
      try {
        const held = call("GET", "replicas/holding").catch(() => null); // Ray may be away while all else is there
        const [lines, replicas, holding] = await Promise.all([call("GET", "lines"), call("GET", "replicas"), held]);
        const wanted = lines.filter((one) => !this.line || one.id === this.line);
        const found = await Promise.all(wanted.map(async (one) => [one.id, await call("GET", `lines/${one.id}/models`)]));
        if (turn !== this.turn) return;
        Object.assign(this, { lines, replicas, holding, versions: Object.fromEntries(found), read: true });
        for (const one of lines) if (this.decided[one.id] === one.promote_automatically) delete this.decided[one.id];
      } catch (error) {
        if (turn === this.turn) this.problem = error.message;
      }
    },
    async act(does, said) {
      Object.assign(this, { busy: true, problem: "", told: "" });
      let told = "";
      try {
        told = said(await does());
      } catch (error) {
        this.problem = error.message;
      }
      await this.load();
      Object.assign(this, { busy: false, told });
    },
    async rollBack(line, to = this.back(line)) {
      const text = `Model ${short(to.id)} judges again, with the thresholds it had last. Every replica loads and tests it first; no frame waits or is lost.`;
      const reason = await this.$refs.ask.why(`Roll ${line.name} back?`, text, "Roll back");
      if (reason === null) return;
      await this.act(() => call("POST", `lines/${line.id}/rollback`, { reason, to: to.id }), (made) => `${line.name}: model ${short(made.model_version)} judges again`);
    },
    async promoteAutomatically(line, event) {
      const on = event.target.checked;
      const words = on ? "promotes by itself what the gate passed, from now on" : "waits for a click before a candidate judges";
      const changed = () => call("PATCH", `lines/${line.id}`, { promote_automatically: on }).then((answer) => (this.decided[line.id] = answer.promote_automatically));
      await this.act(changed, () => `${line.name}: ${words}`);
      event.target.checked = this.automatic(line);
    },
  },
  template: `
    <div class="lp-page lp-models" :data-read="read">
      <div class="lp-bar"><div class="lp-title"><h1>Models</h1><p class="lp-quiet">What judges, what judged, and what might</p></div>
        <label class="lp-pick">Line <select v-model="line"><option value="">All</option><option v-for="(name, id) in names" :value="id">{{ name }}</option></select></label></div>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <p v-if="told" class="lp-card lp-once" role="status" data-told>{{ told }}</p>
      <p v-if="read && !lines.length" class="lp-card lp-hint">No lines yet. Add one with <code>loupe line add</code>.</p>

      <section v-if="shown.length" class="lp-card lp-listed" aria-labelledby="lp-where">
        <header><h2 id="lp-where">What judges where</h2><p v-if="replicas" class="lp-quiet">Every Inspector replica ({{ replicas.min === replicas.max ? replicas.min : replicas.min + ' to ' + replicas.max }}) judges for all lines and loads what it needs. {{ held }}</p></header>
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Line</th><th scope="col">Version</th><th scope="col">Review · NG</th><th scope="col">Since</th><th scope="col">By</th></tr></thead>
          <tbody><tr v-for="each in judging" :key="each.line.id + each.product" :data-where="each.line.id" :data-product="each.product">
            <th scope="row">{{ each.line.name }}<span v-if="each.product" class="lp-quiet"> · {{ each.product }}</span></th>
            <template v-if="each.one"><td><button class="lp-plain" type="button" @click="open(each.line, each.one)"><code>{{ short(each.one.id) }}</code></button></td><td><a :href="thresholds(each.line)">{{ score(each.by?.calibration.review) }} · {{ score(each.by?.calibration.fail) }}</a></td><td class="lp-when">{{ each.by ? day(each.by.activated_at, zone) : '–' }}</td><td>{{ each.by?.activated_by || 'loupe.toml' }}</td></template>
            <td v-else colspan="4" class="lp-quiet">{{ read ? 'No model judges it: its frames are recorded.' : '…' }}</td>
          </tr></tbody>
        </table></div>
      </section>

      <ModelsCompare v-if="pair && pair.every(Boolean)" :pair="pair" :versions="versions[chosen[0].line]" :zone="zone" @close="chosen = []" />

      <div class="lp-beside" :class="{ 'lp-halves': details }">
        <div class="lp-lines">
          <section v-for="one in shown" :key="one.id" class="lp-card lp-listed" :aria-label="'Versions of ' + one.name" :data-line="one.id">
            <header><h2>{{ one.name }}</h2><span class="lp-space"></span>
              <label class="lp-check"><input type="checkbox" role="switch" :checked="automatic(one)" :disabled="!may" :aria-label="'Promote automatically on ' + one.name" @change="promoteAutomatically(one, $event)" />Promote automatically when the gate passes</label>
              <button v-if="may && back(one)" class="lp-plain lp-framed" type="button" :disabled="busy" :aria-label="'Roll back ' + one.name" @click="rollBack(one)"><Icon name="undo" />{{ busy ? 'Replicas load it' : 'Roll back' }}</button></header>
            <div class="lp-scroll" v-if="versions[one.id]?.length"><table class="lp-table">
              <thead><tr><th scope="col"><span class="lp-hidden">Compare</span><Icon name="compare" /></th><th scope="col">Version</th><th scope="col">State</th><th scope="col">Made</th><th scope="col">Learnt from</th><th v-for="measure in MEASURES" scope="col" class="lp-right">{{ measure.word }}</th></tr></thead>
              <tbody><tr v-for="each in versions[one.id]" :key="each.id" :data-version="each.id" :data-state="each.state" :class="{ 'lp-chosen': opened === one.id + '/' + each.id }">
                <td><input type="checkbox" :checked="picked(one, each)" :aria-label="'Compare ' + short(each.id)" @change="pick(one, each)" /></td>
                <th scope="row" class="lp-named"><button class="lp-plain" type="button" :aria-expanded="opened === one.id + '/' + each.id" @click="open(one, each)"><code>{{ short(each.id) }}</code></button><small class="lp-quiet">{{ each.name }}</small></th>
                <td><span class="lp-chip" :class="'lp-' + stateOf(each).tone"><Icon :name="stateOf(each).icon" />{{ stateOf(each).word }}</span><small v-if="each.comes_back" class="lp-quiet">a roll back brings it</small></td>
                <td class="lp-when"><div>{{ day(each.made_at, zone) }}</div><small><a v-if="each.job" :href="job(each)">{{ each.answer ? kindOf(each) + ', gate report' : kindOf(each) }}</a><span v-else class="lp-quiet">put to work, not trained here</span></small></td>
                <td class="lp-when"><div v-if="each.parent"><code>{{ short(each.parent) }}</code></div><small v-if="each.dataset" class="lp-quiet">dataset {{ short(each.dataset.id) }}<template v-if="each.dataset.pictures !== null">: {{ count(each.dataset.good) }} good, {{ count(each.dataset.defect) }} defects</template></small><span v-if="!each.parent && !each.dataset" class="lp-quiet">–</span></td>
                <td v-for="measure in MEASURES" class="lp-right" :data-measure="measure.name">{{ figure(one, each, measure) }}</td>
              </tr></tbody>
            </table></div>
            <p v-else-if="read" class="lp-hint">No version yet. A line's first model comes of good frames, on <a href="training">Training</a>, or with <code>loupe line add --model</code>.</p>
          </section>
        </div>
        <ModelsVersion v-if="details" :one="details.one" :names="names" :zone="zone" :may="may && !busy" @back="rollBack(shown.find((line) => line.id === details.line), details.one)" @close="opened = ''" />
      </div>
      <Ask ref="ask" />
    </div>`,
};
