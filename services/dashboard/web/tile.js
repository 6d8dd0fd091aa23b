// One line's latest part: picture with heat map, decision, score and the last decisions; or plainly that nothing comes.
import { markRaw } from "vue";
import { paint, tint } from "loupe/heat.js";
import { Icon } from "loupe/icon.js";
import { base, onPicture } from "loupe/live.js";
import { decisionOf, latency, percent, rate, score, stateOf } from "loupe/words.js";

export const Tile = {
  components: { Icon },
  props: { line: { type: Object, required: true }, signal: Boolean, why: String, opacity: Number },
  data: () => ({ part: null }),
  computed: {
    state: ({ line, signal }) => (signal ? line.state : "no-signal"),
    shown: ({ state }) => stateOf(state),
    dead: ({ state }) => state === "no-signal",
    decision: ({ part }) => decisionOf(part),
    tone: ({ dead, part, decision }) => (dead || !part || decision.tone === "ok" ? "" : `lp-edge-${decision.tone}`),
    reason: ({ line, signal, why }) => (signal ? line.reason : why),
    href: ({ line }) => `${base}/line/${line.id}`,
    recent: ({ line }) => line.recent.map((decision) => decisionOf({ decision, outcome: decision })),
    label: ({ line, shown, dead, part, decision }) => `${line.name}: ${shown.word}${!dead && part ? `, ${decision.word}, score ${score(part.score)}` : ""}`,
  },
  watch: {
    opacity: "draw",
    dead: "draw",
  },
  mounted() {
    this.layers = markRaw({ picture: null, heat: null });
    this.leave = onPicture(this.line.id, this.receive);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.$refs.canvas);
  },
  beforeUnmount() {
    this.leave();
    this.observer.disconnect();
  },
  methods: {
    latency,
    percent,
    rate,
    score,
    receive(part, picture, map) {
      this.part = part;
      this.layers = markRaw({ picture, heat: map ? tint(map, this.line.calibration?.map_threshold ?? 0.5) : null });
      this.draw();
      const canvas = this.$refs.canvas;
      canvas.dataset.frame = part.frame_id;
      canvas.dataset.heat = map ? `${map.width}x${map.height}` : "";
    },
    draw() {
      const { picture, heat } = this.dead ? {} : this.layers;
      if (this.$refs.canvas) paint(this.$refs.canvas, { picture, heat, opacity: this.opacity });
    },
  },
  template: `
    <a class="lp-card lp-tile" :class="[tone, { 'lp-dead': dead }]" :href="href" :aria-label="label" :data-line="line.id" :data-model="line.model_version" :data-state="state" :data-decision="dead ? '' : part?.decision ?? ''">
      <header>
        <span class="lp-state" :class="'lp-' + shown.tone"><Icon :name="shown.icon" /><span class="lp-name">{{ line.name }}</span><code v-if="line.model_version" class="lp-quiet" title="Model that judges this line">{{ line.model_version.slice(0, 6) }}</code></span>
        <span v-if="state !== 'live'" class="lp-chip" :class="'lp-' + shown.tone"><Icon v-if="state !== 'no-signal'" :name="shown.icon" />{{ shown.word }}</span>
        <span v-else-if="part" class="lp-chip" :class="'lp-' + decision.tone"><Icon :name="decision.icon" />{{ decision.word }}</span>
      </header>
      <div class="lp-picture">
        <canvas ref="canvas"></canvas>
        <div v-if="dead" class="lp-veil"><Icon name="nosignal" /><strong>NO SIGNAL</strong><span>{{ reason }}</span></div>
        <div v-else-if="!part" class="lp-veil lp-soft"><span>Waiting for a picture</span></div>
      </div>
      <div class="lp-recent" aria-hidden="true"><i v-for="(one, index) in dead ? [] : recent" :key="index" :class="'lp-' + one.tone"></i></div>
      <footer>
        <span title="frames per second">{{ dead ? '–' : rate(line.frames_per_s) }}</span>
        <span title="captured to written, 95th percentile">{{ dead ? '–' : latency(line.latency_p95_ms) }}</span>
        <span title="anomaly score">score {{ dead ? '–' : score(part?.score) }}</span>
        <span title="rejected parts of the last 5 minutes">{{ dead ? '–' : percent(line.defect_rate) }} NG</span>
      </footer>
    </a>`,
};
