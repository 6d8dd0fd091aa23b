// The last parts of a line as bars: height is the score, colour and mark the decision. One tab stop; arrows open the neighbour.
// The bars stand still while somebody points at them: nobody can hit what moves along twice a second.
import { nextTick } from "vue";
import { Icon } from "loupe/icon.js";
import { endOf } from "loupe/scale.js";
import { clock, decisionOf, score } from "loupe/words.js";

export const PartStrip = {
  components: { Icon },
  props: { parts: Array, calibration: Object, opened: String, zone: String, signal: Boolean },
  emits: ["open"],
  data: () => ({ held: null, pointed: false }),
  computed: {
    shown: ({ held, parts }) => held ?? parts,
    hold: ({ pointed, opened }) => pointed || Boolean(opened),
    end: ({ shown, calibration }) => Math.min(endOf(calibration, shown.map((part) => part.score ?? 0)), calibration ? 3 * calibration.fail : Infinity),
    bars: ({ shown, end }) => shown.map((part) => ({ part, shown: decisionOf(part), height: `${Math.max(4, Math.min(100, (100 * (part.score ?? 0)) / end))}%` })),
    marks: ({ calibration, end }) => (calibration ? ["review", "fail"].map((name) => ({ name, bottom: `${(100 * calibration[name]) / end}%` })) : []),
    stop: ({ shown, opened }) => (shown.some((part) => part.frame_id === opened) ? opened : shown.at(-1)?.frame_id),
  },
  watch: {
    hold(hold) {
      this.held = hold ? this.parts : null;
    },
    signal(signal) {
      if (!signal) this.held = null;
    },
    async opened() {
      if (!this.$refs.bars?.contains(document.activeElement)) return;
      await nextTick();
      this.$refs.bars.querySelector("[tabindex='0']")?.focus();
    },
  },
  methods: {
    step(by) {
      const next = this.shown[this.shown.findIndex((part) => part.frame_id === this.stop) + by];
      if (next) this.$emit("open", next.frame_id);
    },
    label(part, shown) {
      return `${clock(part.captured_at, this.zone)}, ${shown.word}, score ${score(part.score)}`;
    },
  },
  template: `
    <section class="lp-card lp-strip" aria-labelledby="lp-parts">
      <header><h2 id="lp-parts">Last {{ shown.length || '' }} parts <span v-if="held" class="lp-quiet">held</span></h2><ul class="lp-legend"><li class="lp-ok"><Icon name="check" />OK</li><li class="lp-warn"><Icon name="eye" />Review</li><li class="lp-bad"><Icon name="cross" />NG</li></ul></header>
      <p v-if="!shown.length" class="lp-quiet">{{ signal ? "No parts yet." : "No signal" }}</p>
      <div v-else ref="bars" class="lp-bars" role="group" aria-label="Parts, oldest first" @keydown.left.prevent="step(-1)" @keydown.right.prevent="step(1)" @pointerenter="pointed = true" @pointerleave="pointed = false">
        <i v-for="mark in marks" :key="mark.name" class="lp-mark" :class="mark.name === 'fail' ? 'lp-bad' : 'lp-warn'" :style="{ bottom: 'calc(20px + (100% - 20px) * ' + parseFloat(mark.bottom) / 100 + ')' }"></i>
        <button v-for="bar in bars" :key="bar.part.frame_id" type="button" :data-frame="bar.part.frame_id" :class="'lp-' + bar.shown.tone" :aria-pressed="bar.part.frame_id === opened" :tabindex="bar.part.frame_id === stop ? 0 : -1" :aria-label="label(bar.part, bar.shown)" :title="label(bar.part, bar.shown)" @click="$emit('open', bar.part.frame_id)">
          <span class="lp-column"><i :style="{ height: bar.height }"></i></span><Icon :name="bar.shown.icon" />
        </button>
      </div>
    </section>`,
};
