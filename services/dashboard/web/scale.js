// A score on a small scale with the two thresholds: pass, review, fail.
import { Icon } from "loupe/icon.js";
import { score } from "loupe/words.js";

/** The end of the scale: the fail threshold at three fifths, unless a score lies further out. */
export const endOf = (calibration, scores = []) => Math.max(calibration ? calibration.fail / 0.6 : 0, ...scores, 0.001);

export const Scale = {
  components: { Icon },
  props: { score: Number, calibration: Object, decision: Object, signal: Boolean },
  computed: {
    known: ({ score }) => score !== null && score !== undefined,
    end: ({ calibration, score, known }) => endOf(calibration, known ? [score] : []),
    marks: ({ calibration, end }) => (calibration ? [["review", calibration.review], ["fail", calibration.fail]].map(([name, at]) => ({ name, at, left: share(at, end) })) : []),
    left: ({ score, end }) => share(score ?? 0, end),
    bands: ({ marks }) => (marks.length ? `linear-gradient(90deg, var(--ok-band) 0 ${marks[0].left}, var(--warn-band) ${marks[0].left} ${marks[1].left}, var(--bad-band) ${marks[1].left})` : "var(--edge)"),
    spoken: ({ known, score, decision, calibration }) => (known ? `Score ${words(score)}${decision ? `, ${decision.word}` : ""}${calibration ? `; review from ${words(calibration.review)}, NG from ${words(calibration.fail)}` : ""}` : "No score"),
  },
  methods: { words: score },
  template: `
    <div class="lp-scale" role="img" :aria-label="spoken">
      <p><strong>{{ words(score) }}</strong><span v-if="decision" class="lp-chip" :class="'lp-' + decision.tone"><Icon :name="decision.icon" />{{ decision.word }}</span></p>
      <div class="lp-track" :style="{ background: bands }"><i v-if="known" :style="{ left }"></i></div>
      <ol v-if="marks.length"><li v-for="mark in marks" :style="{ left: mark.left }"><span>{{ mark.name === 'fail' ? 'NG' : mark.name }}</span>{{ words(mark.at) }}</li></ol>
      <p v-else class="lp-quiet">{{ signal ? "No model judges this line." : "No signal" }}</p>
    </div>`,
};

const words = score;
const share = (value, end) => `${Math.min(100, (100 * value) / end).toFixed(2)}%`;
