// What the gate said of a candidate: the answer and why, every measure of both models, their curves, and the frames that they decide differently, side by side.
import { base } from "loupe/base.js";
import { Icon } from "loupe/icon.js";
import { count, percent, score } from "loupe/words.js";

export const ANSWERS = {
  passed: { word: "Passed", icon: "check", tone: "ok" },
  refused: { word: "Refused", icon: "cross", tone: "bad" },
  "insufficient evidence": { word: "Too little evidence", icon: "help", tone: "warn" },
};
const MEASURES = [
  ["image_auroc", "Image AUROC"],
  ["image_ap", "Image AP"],
  ["pixel_ap", "Pixel AP"],
];
const SIDE = 180;

export const GateReport = {
  components: { Icon },
  props: { job: Object },
  computed: {
    gate: ({ job }) => job.result.gate,
    answer: ({ gate }) => ANSWERS[gate.answer],
    rows: ({ gate }) => {
      if (!gate.measures) return [];
      const plain = MEASURES.map(([name, word]) => ({ word, ...gate.measures[name], show: (value) => value.toFixed(3) }));
      const shares = [["Good parts flagged", gate.false_rejects], ["Defects flagged", gate.recall]].map(([word, found]) => ({ word, ...found, show: percent }));
      return [...plain, ...shares].map((row) => ({ ...row, told: row.difference === null ? "–" : signed(row.difference, row.show), between: row.interval ? `${signed(row.interval[0], row.show)} to ${signed(row.interval[1], row.show)}` : "–" }));
    },
    evidence: ({ gate }) => {
      const { evidence, rule } = gate;
      return evidence && [
        { word: "groups of good parts", has: evidence.good_groups, needs: rule.good_groups, frames: evidence.good },
        { word: "groups of defects", has: evidence.defective_groups, needs: rule.defective_groups, frames: evidence.defective },
      ];
    },
    curves: ({ gate }) => gate.curves && ["champion", "candidate"].map((name) => ({ name, path: `M${gate.curves[name].map(([x, y]) => `${(x * SIDE).toFixed(1)} ${((1 - y) * SIDE).toFixed(1)}`).join("L")}` })),
    changes: ({ gate, job }) => (gate.changes ?? []).map((one, place) => ({ ...one, picture: `${base}/api/v1/jobs/${job.id}/changes/${place}/image` })),
    threshold: ({ gate }) => ({ champion: gate.champion?.review, candidate: gate.candidate?.review }),
  },
  methods: {
    count,
    score,
    change(one) {
      if (one.worse) return { word: "got worse", tone: "bad" };
      return this.flagged(one, "champion").word === this.flagged(one, "candidate").word ? { word: "still wrong", tone: "warn" } : { word: "got better", tone: "ok" };
    },
    flagged(one, who) {
      return one[who] >= this.threshold[who] ? { word: "flags", icon: "cross", tone: "bad" } : { word: "passes", icon: "check", tone: "ok" };
    },
  },
  template: `
    <section class="lp-card lp-box lp-gate" aria-labelledby="lp-gate" :data-answer="gate.answer">
      <header class="lp-headed"><h2 id="lp-gate">Gate</h2><span class="lp-chip lp-large" :class="'lp-' + answer.tone"><Icon :name="answer.icon" />{{ answer.word }}</span></header>
      <ul class="lp-reasons"><li v-for="reason in gate.reasons">{{ reason }}</li></ul>
      <div class="lp-compared" v-if="rows.length">
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">On held-out parts</th><th scope="col" class="lp-right">Judges now</th><th scope="col" class="lp-right">Candidate</th><th scope="col" class="lp-right">Difference</th><th scope="col" class="lp-right">95 % interval</th></tr></thead>
          <tbody><tr v-for="row in rows" :key="row.word"><th scope="row">{{ row.word }}</th><td class="lp-right">{{ row.champion === null ? '–' : row.show(row.champion) }}</td><td class="lp-right">{{ row.candidate === null ? '–' : row.show(row.candidate) }}</td><td class="lp-right">{{ row.told }}</td><td class="lp-right lp-quiet">{{ row.between }}</td></tr></tbody>
        </table></div>
        <figure v-if="curves" class="lp-roc"><svg viewBox="-4 -4 ${SIDE + 8} ${SIDE + 8}" width="${SIDE}" height="${SIDE}" role="img" aria-label="ROC of both models on held-out parts"><path class="lp-frame" d="M0 0V${SIDE}H${SIDE}M0 ${SIDE}L${SIDE} 0" /><path v-for="one in curves" :class="'lp-of-' + one.name" :d="one.path" /></svg>
          <figcaption><span class="lp-of-champion">judges now</span> <span class="lp-of-candidate">candidate</span></figcaption></figure>
      </div>
      <p v-if="evidence" class="lp-quiet"><template v-for="one in evidence"><span :class="{ 'lp-warn': one.has < one.needs }">{{ one.has }} {{ one.word }}</span> ({{ count(one.frames) }} parts; the rule asks for {{ one.needs }}). </template></p>
      <p v-if="gate.golden?.frames" data-golden :class="gate.golden.lost ? 'lp-warn' : 'lp-quiet'">{{ count(gate.golden.frames) }} golden parts: the candidate decides {{ gate.golden.candidate_wrong }} otherwise than people did, the present model {{ gate.golden.champion_wrong }}.</p>
      <template v-if="changes.length">
        <h3>Decided differently, what got worse first</h3>
        <ul class="lp-changes"><li v-for="one in changes" :key="one.frame_id" :data-change="one.frame_id" :class="{ 'lp-worse': one.worse }">
          <img :src="one.picture" alt="" loading="lazy" />
          <div><b>{{ one.kind === 'good' ? 'Good part' : 'Defect: ' + one.kind }}</b><span v-if="one.golden" class="lp-chip"><Icon name="star" />golden</span><span class="lp-chip" :class="'lp-' + change(one).tone">{{ change(one).word }}</span></div>
          <dl><div v-for="who in ['champion', 'candidate']"><dt>{{ who === 'champion' ? 'Now' : 'Candidate' }}</dt><dd><span class="lp-chip" :class="'lp-' + flagged(one, who).tone"><Icon :name="flagged(one, who).icon" />{{ flagged(one, who).word }}</span> {{ score(one[who]) }}</dd></div></dl>
        </li></ul>
      </template>
    </section>`,
};

const signed = (value, show) => `${value < 0 ? "−" : "+"}${show(Math.abs(value))}`;
