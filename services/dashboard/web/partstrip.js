// The last parts of a line as bars: height is the score, colour and mark the decision. One tab stop; arrows move, Enter opens.
import { nextTick } from "vue";
import { Icon } from "loupe/icon.js";
import { endOf } from "loupe/scale.js";
import { clock, decisionOf, score } from "loupe/words.js";

export const PartStrip = {
  components: { Icon },
  props: { parts: Array, calibration: Object, opened: String, zone: String, signal: Boolean },
  emits: ["open", "step"],
  computed: {
    end: ({ parts, calibration }) => Math.min(endOf(calibration, parts.map((part) => part.score ?? 0)), calibration ? 3 * calibration.fail : Infinity),
    bars: ({ parts, end }) => parts.map((part) => ({ part, shown: decisionOf(part), height: `${Math.max(4, Math.min(100, (100 * (part.score ?? 0)) / end))}%` })),
    marks: ({ calibration, end }) => (calibration ? ["review", "fail"].map((name) => ({ name, bottom: `${(100 * calibration[name]) / end}%` })) : []),
    stop: ({ parts, opened }) => (parts.some((part) => part.frame_id === opened) ? opened : parts.at(-1)?.frame_id),
  },
  watch: {
    async opened() {
      if (!this.$refs.bars?.contains(document.activeElement)) return;
      await nextTick();
      this.$refs.bars.querySelector("[tabindex='0']")?.focus();
    },
  },
  methods: {
    label(part, shown) {
      return `${clock(part.captured_at, this.zone)}, ${shown.word}, score ${score(part.score)}`;
    },
  },
  template: `
    <section class="lp-card lp-strip" aria-labelledby="lp-parts">
      <header><h2 id="lp-parts">Last {{ parts.length || '' }} parts</h2><ul class="lp-legend"><li class="lp-ok"><Icon name="check" />OK</li><li class="lp-warn"><Icon name="eye" />Review</li><li class="lp-bad"><Icon name="cross" />NG</li></ul></header>
      <p v-if="!parts.length" class="lp-quiet">{{ signal ? "No parts yet." : "No signal" }}</p>
      <div v-else ref="bars" class="lp-bars" role="group" aria-label="Parts, oldest first" @keydown.left.prevent="$emit('step', -1)" @keydown.right.prevent="$emit('step', 1)">
        <i v-for="mark in marks" :key="mark.name" class="lp-mark" :class="mark.name === 'fail' ? 'lp-bad' : 'lp-warn'" :style="{ bottom: 'calc(20px + (100% - 20px) * ' + parseFloat(mark.bottom) / 100 + ')' }"></i>
        <button v-for="bar in bars" :key="bar.part.frame_id" type="button" :data-frame="bar.part.frame_id" :class="'lp-' + bar.shown.tone" :aria-pressed="bar.part.frame_id === opened" :tabindex="bar.part.frame_id === stop ? 0 : -1" :aria-label="label(bar.part, bar.shown)" :title="label(bar.part, bar.shown)" @click="$emit('open', bar.part.frame_id)">
          <span class="lp-column"><i :style="{ height: bar.height }"></i></span><Icon :name="bar.shown.icon" />
        </button>
      </div>
    </section>`,
};
