// The page of one line: its latest part large, or one of the last parts opened; score and thresholds; cameras; charts.
import { markRaw } from "vue";
import { Banners } from "loupe/banners.js";
import { Chart } from "loupe/chart.js";
import { Facts } from "loupe/facts.js";
import { paint, tint } from "loupe/heat.js";
import { Icon } from "loupe/icon.js";
import { base, bitmap, live, look, onPicture, signal, start, why } from "loupe/live.js";
import { PartStrip } from "loupe/partstrip.js";
import { Scale } from "loupe/scale.js";
import { lineSeries } from "loupe/series.js";
import { HeatSlider, opacity } from "loupe/slider.js";
import { cameraOf, clock, count, decisionOf, latency, percent, rate, score, stateOf } from "loupe/words.js";

export default {
  components: { Banners, Chart, Facts, HeatSlider, Icon, PartStrip, Scale },
  props: { lineId: String, openPart: String },
  setup: () => ({ live, signal, why, opacity }),
  data: () => ({ newest: null, opened: null, problem: "", pictured: false, outlines: true }),
  computed: {
    line: ({ live, lineId }) => live.wall?.lines.find((line) => line.id === lineId) ?? null,
    thresholds: ({ lineId }) => `${base}/line/${lineId}/thresholds`,
    missing: ({ live, line, signal }) => signal && live.wall !== null && line === null,
    state: ({ line, signal }) => (signal && line ? line.state : "no-signal"),
    shown: ({ state }) => stateOf(state),
    reason: ({ line, signal, why }) => (signal ? (line?.reason ?? "") : why),
    dead: ({ state, opened }) => state === "no-signal" && !opened,
    part: ({ opened, newest, dead }) => opened ?? (dead ? null : newest),
    decision: ({ part }) => decisionOf(part),
    calibration: ({ line, signal }) => (signal ? line?.calibration : null),
    zone: ({ live }) => live.wall?.time_zone ?? "UTC",
    parts: ({ live, lineId, signal }) => (signal && live.parts.line === lineId ? live.parts.list : []),
    series: ({ live, lineId }) => lineSeries(live.charts[lineId]),
    cameras: ({ line, signal }) => (signal && line ? line.cameras.map((camera) => ({ ...camera, shown: cameraOf(camera.state) })) : []),
  },
  watch: { dead: "draw", outlines: "draw", "opacity.value": "draw", opened: "draw" },
  mounted() {
    start();
    look({ pictures: [this.lineId], line: this.lineId });
    this.layers = markRaw({ live: {}, opened: {} });
    this.leave = onPicture(this.lineId, this.receive);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.$refs.canvas);
    window.addEventListener("loupe-theme", this.draw);
    if (this.openPart) this.open(this.openPart);
  },
  beforeUnmount() {
    this.leave();
    this.observer.disconnect();
    window.removeEventListener("loupe-theme", this.draw);
  },
  methods: {
    clock,
    count,
    latency,
    percent,
    rate,
    score,
    tenths: (value) => (value === null || value === undefined ? "–" : Number(value.toFixed(1)).toLocaleString("en")),
    receive(part, picture, map) {
      this.newest = part;
      this.layers.live = { picture, heat: this.tinted(map) };
      this.draw();
    },
    tinted(map) {
      return map ? tint(map, this.line?.calibration?.map_threshold ?? 0.5) : null;
    },
    async open(frameId) {
      this.problem = "";
      const [part, picture, map] = await Promise.all([fetched(`parts/${frameId}`, "json"), fetched(`frames/${frameId}/image`, "blob"), fetched(`frames/${frameId}/map`, "blob")]);
      if (part.error) return (this.problem = part.error);
      this.layers.opened = { picture: await bitmap(picture.found), heat: this.tinted(await bitmap(map.found)) };
      this.pictured = this.layers.opened.picture !== null;
      this.problem = picture.error ?? (this.pictured ? "" : "Its bytes are no picture that a browser can show");
      this.opened = part.found;
      history.replaceState(null, "", `?part=${encodeURIComponent(frameId)}`);
    },
    follow() {
      this.opened = null;
      this.problem = "";
      history.replaceState(null, "", location.pathname);
    },
    draw() {
      const canvas = this.$refs.canvas;
      if (!canvas) return;
      const layers = this.opened ? this.layers.opened : this.dead ? {} : this.layers.live;
      const part = this.part;
      const outline = this.outlines && part ? getComputedStyle(canvas).getPropertyValue(part.decision === "fail" ? "--outline-bad" : "--outline-warn") : null;
      paint(canvas, { ...layers, opacity: this.opacity.value, regions: part?.regions, width: part?.width, height: part?.height, outline });
      canvas.dataset.frame = part?.frame_id ?? "";
      canvas.dataset.opacity = this.opacity.value;
    },
  },
  template: `
    <div class="lp-page" :data-line="lineId" :data-state="state">
      <div class="lp-bar">
        <div class="lp-title"><h1>{{ line?.name ?? lineId }}</h1><span class="lp-chip" :class="'lp-' + shown.tone"><Icon :name="shown.icon" />{{ shown.word }}</span><span v-if="line?.product" class="lp-quiet">{{ line.product }}</span><span v-if="state === 'recording'" class="lp-quiet" data-why>{{ reason }}</span></div>
        <div class="lp-tools"><label class="lp-check"><input type="checkbox" v-model="outlines" /><span>Regions</span></label><HeatSlider /></div>
      </div>
      <Banners :line="lineId" />
      <p v-if="missing" class="lp-card lp-hint">There is no line <code>{{ lineId }}</code>.</p>
      <div class="lp-line">
       <div class="lp-left">
        <section class="lp-card lp-stage" :class="{ 'lp-dead': dead }" aria-label="Picture">
          <header>
            <template v-if="opened"><button class="lp-button lp-text" type="button" @click="follow"><Icon name="back" />Back to live</button><span class="lp-quiet">{{ clock(opened.captured_at, zone) }}</span></template>
            <template v-else><span class="lp-quiet">{{ dead ? reason : newest ? 'Latest part · ' + clock(newest.captured_at, zone) : 'Waiting for a picture' }}</span></template>
            <span v-if="part" class="lp-chip lp-large" :class="'lp-' + decision.tone"><Icon :name="decision.icon" />{{ decision.word }}</span>
          </header>
          <div class="lp-picture">
            <canvas ref="canvas" role="img" :aria-label="part ? 'Part, ' + decision.word + ', ' + part.regions.length + ' regions' : 'No picture'"></canvas>
            <div v-if="opened && !pictured" class="lp-veil lp-soft"><Icon name="broken" /><strong>Picture not available</strong><span>{{ problem }}</span></div>
            <div v-if="dead" class="lp-veil"><Icon name="nosignal" /><strong>NO SIGNAL</strong><span>{{ reason }}</span></div>
          </div>
          <p v-if="problem && (!opened || pictured)" class="lp-problem" role="alert">{{ problem }}</p>
        </section>
        <PartStrip :parts="parts" :calibration="calibration" :opened="opened?.frame_id" :zone="zone" :signal="signal" @open="open" />
       </div>
        <aside class="lp-side">
          <section class="lp-card lp-box" aria-label="Score"><header class="lp-headed"><h2>Score</h2><a :href="thresholds">Thresholds</a></header><Scale :score="part?.score" :calibration="calibration" :decision="part ? decision : null" :signal="signal" /></section>
          <Facts :part="part" :line="signal ? line : null" :zone="zone" />
          <section class="lp-card lp-box"><h2>Cameras</h2>
            <p v-if="!cameras.length" class="lp-quiet">{{ signal ? 'No camera' : 'No signal' }}</p>
            <ul class="lp-cameras"><li v-for="camera in cameras" :key="camera.id">
              <span class="lp-state" :class="'lp-' + camera.shown.tone"><Icon :name="camera.shown.icon" /><strong>{{ camera.id }}</strong></span><span>{{ camera.shown.word }}</span>
              <small>{{ count(camera.sent) }} sent<template v-if="camera.dropped"> · {{ count(camera.dropped) }} dropped</template></small>
              <small v-if="camera.error" class="lp-bad">{{ camera.error }}</small>
            </li></ul>
          </section>
        </aside>
      </div>
      <section class="lp-charts" aria-label="The last hour">
        <Chart title="Throughput" unit="parts / min" :points="series.parts" :format="count" :zone="zone" :floor="10" :blank="!signal" />
        <Chart title="Defect rate" unit="% NG" :points="series.defects" :format="tenths" :zone="zone" :floor="5" :blank="!signal" />
        <Chart title="Latency p95" unit="ms" :points="series.latency" :format="count" :zone="zone" :floor="100" :blank="!signal" />
      </section>
    </div>`,
};

async function fetched(path, kind) {
  const answer = await fetch(`${base}/api/v1/${path}`).catch(() => null);
  if (answer?.ok) return { found: await answer[kind]() };
  const problem = await answer?.json().catch(() => null);
  return { found: null, error: problem?.detail ?? "The dashboard does not answer" };
}
