// One inspection of long ago: its picture and heat map where they are still kept, what the machine and people said of it.
import { markRaw } from "vue";
import { Ask } from "loupe/ask.js";
import { base } from "loupe/base.js";
import { paint, tint } from "loupe/heat.js";
import { Icon } from "loupe/icon.js";
import { bitmap } from "loupe/live.js";
import { call } from "loupe/rest.js";
import { HeatSlider, opacity } from "loupe/slider.js";
import { BLIND, day, decisionOf, latency, score, short, verdictOf } from "loupe/words.js";

const USUAL_THRESHOLD = 0.5;
const WHY_KEPT = { flagged: "flagged", "blind-check": "drawn for a blind check", recorded: "recorded for a new line", failed: "could not be read" };

export const HistoryPart = {
  components: { Ask, HeatSlider, Icon },
  props: { frameId: String, zone: String, names: Object, may: Boolean },
  emits: ["close"],
  setup: () => ({ opacity }),
  data: () => ({ row: null, golden: null, problem: "", refused: "", pictured: false, heated: false, ready: false }),
  computed: {
    decision: ({ row }) => (row?.blind ? BLIND : decisionOf(row)),
    said: ({ row }) => (row?.verdict ? verdictOf(row.verdict) : null),
    review: ({ frameId }) => `${base}/review?frame=${encodeURIComponent(frameId)}`,
    reviewable: ({ row }) => row && (row.blind || ["flagged", "blind-check", "recorded"].includes(row.archived_reason)),
    facts: ({ row, zone, names, said, golden }) =>
      row && [
        ["Inspected", day(row.inspected_at, zone, true)],
        ["Captured", day(row.captured_at, zone, true)],
        ["Line", names[row.line] ?? row.line],
        ["Frame", [row.camera, row.session, row.sequence].join(" / "), row.frame_id],
        ["Part", row.part_id ?? "–"],
        ["Product", row.product ?? "–"],
        ["Score", score(row.score)],
        ["Model", short(row.model_version), row.model_version],
        ["Calibration", row.calibration_id ?? "–"],
        ["Latency", latency(row.latency_ms)],
        ["Picture kept", row.archived_reason ? WHY_KEPT[row.archived_reason] : "–"],
        ...(row.verdict ? [["Verdict", `${said.word}, ${row.verdict.given_by}`], ["Given", day(row.verdict.given_at, zone, true)]] : []),
        ...(golden ? [["Golden since", `${day(golden.at, zone, true)}, ${golden.by}: ${golden.reason}`]] : []),
        ...(row.error ? [["Error", row.error]] : []),
      ],
  },
  watch: { frameId: "load", "opacity.value": "draw" },
  mounted() {
    this.layers = markRaw({});
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.$refs.canvas);
    window.addEventListener("loupe-theme", this.draw);
    this.load();
  },
  beforeUnmount() {
    this.observer.disconnect();
    window.removeEventListener("loupe-theme", this.draw);
  },
  methods: {
    async load() {
      const asked = this.frameId;
      Object.assign(this, { ready: false, problem: "", refused: "", golden: null });
      const row = await call("GET", `history/frames/${asked}`).catch((error) => ({ error: error.message, lost: true }));
      const [picture, map] = row.lost ? [null, null] : await Promise.all([fetched(`${asked}/image`), row.blind || !row.map_kind ? null : fetched(`${asked}/map`)]);
      const { golden } = row.blind || !row.archived_reason ? { golden: null } : await call("GET", `review/frames/${asked}/golden`).catch(() => ({ golden: null }));
      const layers = { picture: await bitmap(picture), heat: map ? tint(await bitmap(map), USUAL_THRESHOLD) : null };
      if (asked !== this.frameId) return; // another one was opened meanwhile
      Object.assign(this.layers, layers);
      Object.assign(this, { row: row.lost ? null : row, golden, problem: row.lost ? row.error : "", pictured: layers.picture !== null, heated: layers.heat !== null, ready: true });
      this.draw();
    },
    async changeGolden() {
      const { frameId, golden } = this;
      const [title, text, yes] = golden
        ? ["Take it out of the golden set?", "From the next dataset on it is a part like any other.", "Take out"]
        : ["Put it into the golden set?", "From the next dataset on it teaches no more, and the gate refuses every candidate that decides it wrongly where the present model does not.", "Put in"];
      const reason = await this.$refs.ask.why(title, text, yes);
      if (reason === null) return;
      try {
        const path = `review/frames/${frameId}/golden`;
        const now = golden ? await call("DELETE", `${path}?reason=${encodeURIComponent(reason)}`) : await call("PUT", path, { reason });
        if (frameId === this.frameId) this.golden = now;
      } catch (error) {
        this.refused = error.message;
      }
    },
    draw() {
      const canvas = this.$refs.canvas;
      if (!canvas) return;
      const { row } = this;
      const outline = row ? getComputedStyle(canvas).getPropertyValue(row.decision === "fail" ? "--outline-bad" : "--outline-warn") : null;
      paint(canvas, { ...this.layers, opacity: this.opacity.value, regions: row?.regions, width: row?.width, height: row?.height, outline: this.pictured ? outline : null });
      canvas.dataset.frame = this.ready ? this.frameId : "";
    },
  },
  template: `
    <section class="lp-card lp-stage lp-opened" aria-label="Inspection" @keydown.esc="$emit('close')">
      <header>
        <span v-if="row" class="lp-chip lp-large" :class="'lp-' + decision.tone"><Icon :name="decision.icon" />{{ decision.word }}</span>
        <span v-if="said" class="lp-chip" :class="'lp-' + said.tone"><Icon :name="said.icon" />{{ said.word }}</span>
        <span class="lp-space"></span>
        <button v-if="may && (golden || row?.verdict)" class="lp-button" type="button" :aria-pressed="golden !== null" @click="changeGolden"><Icon name="star" />Golden</button>
        <a v-if="reviewable" class="lp-button" :href="review"><Icon name="review" />Review</a>
        <button class="lp-button" type="button" aria-label="Close" @click="$emit('close')"><Icon name="cross" /></button>
      </header>
      <div class="lp-picture">
        <canvas ref="canvas" role="img" :aria-label="pictured ? 'Picture, ' + decision.word : 'No picture'"></canvas>
        <div v-if="ready && !pictured" class="lp-veil lp-soft"><Icon name="broken" /><strong>{{ problem ? 'Not found' : 'Picture no longer kept' }}</strong><span>{{ problem || 'Passed parts are kept without theirs, once Kafka lets go of them' }}</span></div>
      </div>
      <div v-if="heated" class="lp-under"><HeatSlider /></div>
      <p v-if="refused" class="lp-problem" role="alert">{{ refused }}</p>
      <p v-if="row?.blind" class="lp-problem">A blind check: what the machine said is shown once it is answered.</p>
      <dl v-if="facts" class="lp-facts"><template v-for="[name, value, whole] in facts" :key="name"><dt>{{ name }}</dt><dd :title="whole">{{ value }}</dd></template></dl>
      <Ask ref="ask" @keydown.esc.stop />
    </section>`,
};

async function fetched(path) {
  const answer = await fetch(`${base}/api/v1/history/frames/${path}`).catch(() => null);
  return answer?.ok ? answer.blob() : null;
}
