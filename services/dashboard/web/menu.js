// The menu: the wall, the review with how many wait, every line with its state, what the role may open, the API.
import { Icon } from "loupe/icon.js";
import { base, live, signal } from "loupe/live.js";
import { counts, remaining, startCounting } from "loupe/reviewcounts.js";
import { stateOf } from "loupe/words.js";

export default {
  components: { Icon },
  props: { here: String, role: String },
  setup: () => ({ counts, live, remaining, signal }),
  mounted: startCounting,
  computed: { lines: ({ live, signal }) => (live.wall?.lines ?? []).map((line) => ({ ...line, shown: stateOf(signal ? line.state : "no-signal") })) },
  methods: {
    link: (path) => `${base}${path}`,
    current(path) {
      return this.here === path ? "page" : undefined;
    },
  },
  template: `
    <nav class="lp-menu" aria-label="Pages">
      <a :href="link('/')" :aria-current="current('/')"><Icon name="grid" />Live</a>
      <a :href="link('/review')" :aria-current="current('/review')"><Icon name="review" /><span>Review</span><template v-if="counts.known && remaining"><span class="lp-space"></span><b class="lp-badge" data-remaining>{{ remaining }}</b><small class="lp-hidden">pictures wait</small></template></a>
      <a :href="link('/history')" :aria-current="current('/history')"><Icon name="clock" />History</a>
      <a :href="link('/quality')" :aria-current="current('/quality')"><Icon name="check" />Quality</a>
      <a :href="link('/training')" :aria-current="current('/training')"><Icon name="redo" />Training</a>
      <a :href="link('/models')" :aria-current="current('/models')"><Icon name="compare" />Models</a>
      <h2>Lines</h2>
      <a :href="link('/lines')" :aria-current="current('/lines')"><Icon name="list" />All lines</a>
      <a v-for="line in lines" :key="line.id" :href="link('/line/' + line.id)" :aria-current="current('/line/' + line.id)">
        <Icon :name="line.shown.icon" :class="'lp-' + line.shown.tone" /><span>{{ line.name }}</span><small class="lp-hidden">{{ line.shown.word }}</small>
      </a>
      <span class="lp-space"></span>
      <template v-if="role === 'admin'">
        <a :href="link('/users')" :aria-current="current('/users')"><Icon name="person" />Users</a>
        <a :href="link('/audit')" :aria-current="current('/audit')"><Icon name="list" />Audit</a>
      </template>
      <a :href="link('/api/v1/docs')"><Icon name="code" />REST API</a>
    </nav>`,
};
