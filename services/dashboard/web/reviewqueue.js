// The queue: which pictures wait, in which order, who has them; some of them selected to be answered at once.
import { Icon } from "loupe/icon.js";
import { base } from "loupe/base.js";
import { ago, decisionOf, score } from "loupe/words.js";

const ORDERS = [["uncertainty", "Least certain first"], ["severity", "Highest score first"], ["oldest", "Oldest first"], ["newest", "Newest first"]];
const KINDS = [["", "All kinds"], ["fail", "NG"], ["review", "Review"], ["blind", "Blind checks"]];
const UNSURE = 0.5; // in log-odds

export const ReviewQueue = {
  components: { Icon },
  props: { items: Array, current: String, picked: Array, asked: Object, lines: Array, cameras: Array, classes: Array, left: Number, readonly: Boolean, now: Number },
  emits: ["open", "pick", "ask", "bulk"],
  data: () => ({ orders: ORDERS, kinds: KINDS, anchor: null }),
  computed: {
    stop: ({ items, current }) => (items.some((item) => item.frame_id === current) ? current : items[0]?.frame_id),
    names: ({ lines }) => Object.fromEntries(lines.map((line) => [line.id, line.name])),
    narrowed: ({ asked }) => ["camera", "kind", "score_from", "score_to", "defect_class"].filter((name) => asked[name] !== "" && asked[name] !== undefined).length + (asked.skipped ? 1 : 0),
  },
  watch: {
    current() {
      this.$nextTick(() => reveal(this.$refs.list, this.$refs.list?.querySelector("[aria-current]")));
    },
  },
  methods: {
    ago,
    score,
    decisionOf: (item) => (item.blind ? { word: "Blind check", icon: "eye", tone: "calm" } : decisionOf(item.machine)),
    thumbnail: (item) => `${base}/api/v1/review/frames/${item.frame_id}/image?width=160`,
    hide: (event) => (event.target.style.visibility = "hidden"), // swept from archive and Kafka
    unsure: ({ machine }) => Boolean(machine?.calibration) && machine.score !== null && distance(machine) < UNSURE,
    holder: ({ claim }) => (claim && !claim.mine ? claim.by : ""),
    set(name, value) {
      this.$emit("ask", { ...this.asked, [name]: value });
    },
    press(item, event) {
      if (event.shiftKey) return this.$emit("pick", this.upTo(item));
      if (event.ctrlKey || event.metaKey) return this.toggle(item);
      this.anchor = item.frame_id;
      this.$emit("open", item.frame_id);
    },
    toggle(item) {
      this.anchor = item.frame_id;
      this.$emit("pick", this.picked.includes(item.frame_id) ? this.picked.filter((one) => one !== item.frame_id) : [...this.picked, item.frame_id]);
    },
    upTo(item) {
      const ids = this.items.map((one) => one.frame_id);
      const [from, to] = [Math.max(0, ids.indexOf(this.anchor ?? this.current)), ids.indexOf(item.frame_id)].sort((one, other) => one - other);
      return [...new Set([...this.picked, ...ids.slice(from, to + 1)])];
    },
    key(item, event) {
      if (event.key === "Enter") this.press(item, event);
      else if (event.key === " ") this.toggle(item);
      else return this.move(event);
      event.preventDefault();
      event.stopPropagation();
    },
    move(event) {
      const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const options = [...this.$refs.list.children];
      options[options.indexOf(event.currentTarget) + by]?.focus();
    },
  },
  template: `
    <section class="lp-card lp-queue" aria-label="Queue">
      <header>
        <div class="lp-tabs" role="group" aria-label="Which"><button type="button" :aria-pressed="asked.state === 'open'" @click="set('state', 'open')">To do <b>{{ left }}</b></button><button type="button" :aria-pressed="asked.state === 'answered'" @click="set('state', 'answered')">Answered</button></div>
        <label><span class="lp-hidden">Line</span><select :value="asked.line" @change="set('line', $event.target.value)"><option value="">All lines</option><option v-for="line in lines" :key="line.id" :value="line.id">{{ line.name }}</option></select></label>
        <label><span class="lp-hidden">Order</span><select :value="asked.order" @change="set('order', $event.target.value)"><option v-for="[name, word] in orders" :key="name" :value="name">{{ word }}</option></select></label>
        <details><summary>Filter<b v-if="narrowed">{{ narrowed }}</b></summary>
          <label><span>Kind</span><select :value="asked.kind" @change="set('kind', $event.target.value)"><option v-for="[name, word] in kinds" :key="name" :value="name">{{ word }}</option></select></label>
          <label><span>Camera</span><select :value="asked.camera" @change="set('camera', $event.target.value)"><option value="">All</option><option v-for="camera in cameras" :key="camera">{{ camera }}</option></select></label>
          <label v-if="asked.state === 'answered'"><span>Class</span><select :value="asked.defect_class" @change="set('defect_class', $event.target.value)"><option value="">All</option><option v-for="one in classes" :key="one.name" :value="one.name">{{ one.label }}</option></select></label>
          <label><span>Score from</span><input type="number" min="0" max="1" step="0.05" :value="asked.score_from" @change="set('score_from', $event.target.value)" /></label>
          <label><span>to</span><input type="number" min="0" max="1" step="0.05" :value="asked.score_to" @change="set('score_to', $event.target.value)" /></label>
          <label v-if="asked.state === 'open'" class="lp-check"><input type="checkbox" :checked="asked.skipped" @change="set('skipped', $event.target.checked)" /><span>Those I skipped too</span></label>
        </details>
      </header>
      <div v-if="picked.length" class="lp-picked" role="group" aria-label="Selected pictures">
        <p><strong>{{ picked.length }}</strong> selected <button class="lp-plain" type="button" @click="$emit('pick', [])">None</button></p>
        <button class="lp-deed lp-deed-bad" type="button" @click="$emit('bulk', 'defect')">Confirm</button><button class="lp-deed lp-deed-ok" type="button" @click="$emit('bulk', 'good')">Not a defect</button><button class="lp-deed" type="button" @click="$emit('bulk', 'skip')">Skip</button>
      </div>
      <p v-if="!items.length" class="lp-hint">Nothing here.</p>
      <ul v-else ref="list" role="listbox" aria-label="Pictures" aria-multiselectable="true">
        <li v-for="item in items" :key="item.frame_id" role="option" :data-frame="item.frame_id" :data-blind="item.blind" :tabindex="item.frame_id === stop ? 0 : -1" :aria-selected="picked.includes(item.frame_id)" :aria-current="item.frame_id === current ? 'true' : undefined" @click="press(item, $event)" @keydown="key(item, $event)">
          <img :src="thumbnail(item)" alt="" loading="lazy" draggable="false" @error="hide" />
          <span><strong>{{ names[item.line] ?? item.line }}</strong>
            <span class="lp-chip" :class="'lp-' + decisionOf(item).tone"><Icon :name="decisionOf(item).icon" />{{ decisionOf(item).word }}<span v-if="item.machine?.score != null">{{ score(item.machine.score) }}</span></span>
            <small v-if="holder(item)" class="lp-held"><Icon name="lock" /><span class="lp-hidden">with </span>{{ holder(item) }}</small><small v-else>{{ item.camera }} · {{ ago(item.captured_at, now) }}<template v-if="unsure(item)"> · unsure</template></small>
          </span>
        </li>
      </ul>
    </section>`,
};

/** Scrolls the list alone: on a phone the page must stay where it is. */
function reveal(list, option) {
  if (!option) return;
  list.scrollTop = Math.min(option.offsetTop, Math.max(list.scrollTop, option.offsetTop + option.offsetHeight - list.clientHeight));
  list.scrollLeft = Math.min(option.offsetLeft, Math.max(list.scrollLeft, option.offsetLeft + option.offsetWidth - list.clientWidth));
}

/** In log-odds, to the nearer threshold. */
function distance({ score: value, calibration }) {
  const odds = (share) => Math.log(Math.min(1 - 1e-9, Math.max(1e-9, share)) / (1 - Math.min(1 - 1e-9, Math.max(1e-9, share))));
  return Math.min(...[calibration.review, calibration.fail].map((threshold) => Math.abs(odds(value) - odds(threshold))));
}
