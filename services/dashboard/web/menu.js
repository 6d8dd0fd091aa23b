// The menu: the wall, every line with its state, the API.
import { Icon } from "loupe/icon.js";
import { base, live, signal } from "loupe/live.js";
import { stateOf } from "loupe/words.js";

export default {
  components: { Icon },
  props: { here: String },
  setup: () => ({ live, signal }),
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
      <h2>Lines</h2>
      <a v-for="line in lines" :key="line.id" :href="link('/line/' + line.id)" :aria-current="current('/line/' + line.id)">
        <Icon :name="line.shown.icon" :class="'lp-' + line.shown.tone" /><span>{{ line.name }}</span><small class="lp-hidden">{{ line.shown.word }}</small>
      </a>
      <span class="lp-space"></span>
      <a :href="link('/api/v1/docs')"><Icon name="code" />REST API</a>
    </nav>`,
};
