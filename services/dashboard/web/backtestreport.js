// How a candidate would have decided a line's latest frames: how often otherwise, camera by camera, and which frames. Nobody has said which are defective.
import { base } from "loupe/base.js";
import { count, percent, score } from "loupe/words.js";

export const BacktestReport = {
  props: { job: Object },
  computed: {
    result: ({ job }) => job.result,
    cameras: ({ result }) => Object.entries(result.by_camera ?? {}).map(([name, found]) => ({ name, ...found })),
    changes: ({ result }) => (result.changes ?? []).map((one) => ({ ...one, href: `${base}/history?frame=${encodeURIComponent(one.frame_id)}` })),
  },
  methods: { count, percent, score },
  template: `
    <section class="lp-card lp-box" aria-labelledby="lp-backtest" data-backtest>
      <h2 id="lp-backtest">{{ result.agreement === null ? 'No frame was left to judge' : percent(result.agreement) + ' decided alike' }}</h2>
      <p class="lp-quiet">{{ count(result.frames) }} of {{ count(result.in_kafka) }} frames judged anew: {{ count(result.newly_flagged) }} newly flagged, {{ count(result.no_longer_flagged) }} no longer flagged.<template v-if="result.expired"> {{ count(result.expired) }} were gone already.</template></p>
      <div v-if="cameras.length > 1" class="lp-scroll"><table class="lp-table">
        <thead><tr><th scope="col">Camera</th><th scope="col" class="lp-right">Frames</th><th scope="col" class="lp-right">Newly flagged</th><th scope="col" class="lp-right">No longer flagged</th></tr></thead>
        <tbody><tr v-for="one in cameras" :key="one.name"><th scope="row">{{ one.name }}</th><td class="lp-right">{{ count(one.frames) }}</td><td class="lp-right">{{ count(one.newly_flagged) }}</td><td class="lp-right">{{ count(one.no_longer_flagged) }}</td></tr></tbody>
      </table></div>
      <div v-if="changes.length" class="lp-scroll"><table class="lp-table">
        <thead><tr><th scope="col">Decided differently</th><th scope="col" class="lp-right">Score before</th><th scope="col" class="lp-right">Candidate</th></tr></thead>
        <tbody><tr v-for="one in changes" :key="one.frame_id"><th scope="row"><a :href="one.href">{{ one.frame_id }}</a></th><td class="lp-right">{{ score(one.before) }}</td><td class="lp-right">{{ score(one.after) }}</td></tr></tbody>
      </table></div>
    </section>`,
};
