// Alarms across the page, all or of one line: what is wrong, and a way to it. One that was put away comes back once it was over.
import { reactive } from "vue";
import { Icon } from "loupe/icon.js";
import { base, live, signal } from "loupe/live.js";

const KEY = "loupe-put-away";
const MOST = 3;
const away = reactive(new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]")));
const keep = () => sessionStorage.setItem(KEY, JSON.stringify([...away]));
/** Figures in it change by the second, which makes it no other alarm. */
const named = (alarm) => ({ ...alarm, name: `${alarm.line ?? ""} ${alarm.text.replace(/[\d.,]+( (s|min|h|days))?/g, "#")}` });

export const Banners = {
  components: { Icon },
  props: { line: String },
  setup: () => ({ live, signal }),
  computed: {
    all: ({ live, signal }) => (signal ? live.wall.alarms.map(named) : null),
    waiting: ({ all, line }) => (all ?? []).filter((alarm) => (!line || !alarm.line || alarm.line === line) && !away.has(alarm.name)),
    shown: ({ waiting }) => waiting.slice(0, MOST),
  },
  watch: {
    all(now) {
      const over = now ? [...away].filter((name) => !now.some((alarm) => alarm.name === name)) : [];
      for (const name of over) away.delete(name);
      if (over.length) keep();
    },
  },
  methods: {
    href: (alarm) => `${base}/line/${alarm.line}`,
    putAway(alarm) {
      away.add(alarm.name);
      keep();
    },
  },
  template: `
    <section v-if="shown.length" class="lp-banners" aria-label="Alarms">
      <p v-for="alarm in shown" :key="alarm.name" class="lp-card lp-alert" :class="{ 'lp-mild': alarm.severity !== 'bad' }" role="alert" :data-alarm="alarm.line ?? ''">
        <Icon :name="alarm.severity === 'bad' ? 'nosignal' : 'clock'" />
        <a v-if="alarm.line && !line" :href="href(alarm)">{{ alarm.text }}</a><span v-else>{{ alarm.text }}</span>
        <span class="lp-space"></span><button class="lp-plain" type="button" :aria-label="'Put away: ' + alarm.text" @click="putAway(alarm)">Put away</button>
      </p>
      <p v-if="waiting.length > shown.length" class="lp-quiet">{{ waiting.length - shown.length }} more under the bell.</p>
    </section>`,
};
