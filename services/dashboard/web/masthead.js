// The header: menu button, name, plant, state of the link, alarms, theme, who is logged in.
import { Icon } from "loupe/icon.js";
import { base, live, signal, start, why } from "loupe/live.js";
import { submit } from "loupe/rest.js";

const THEMES = { system: { next: "light", icon: "auto" }, light: { next: "dark", icon: "sun" }, dark: { next: "system", icon: "moon" } };

export default {
  components: { Icon },
  props: { site: String, user: String, role: String },
  emits: ["menu"],
  setup: () => ({ live, signal, why }),
  data: () => ({ theme: "system", open: false, mine: false }),
  computed: {
    alarms: ({ live, signal, why }) => (signal ? live.wall.alarms : [{ line: null, text: `${why}. Nothing on this page is current.`, severity: "bad" }]),
    link: ({ signal, live }) => (signal ? { word: "Live", icon: "signal", tone: "ok" } : live.link === "connecting" ? { word: "Connecting", icon: "dash", tone: "calm" } : { word: "No signal", icon: "nosignal", tone: "bad" }),
    icon: ({ theme }) => THEMES[theme].icon,
    home: () => `${base}/`,
    logo: () => `${base}/assets/logo.svg`,
  },
  mounted() {
    start();
    this.theme = window.loupeTheme.choice();
    window.loupeTheme.apply(); // Quasar is there by now
    this.close = (event) => {
      const leaves = (place) => event.key === "Escape" || (event.type === "pointerdown" && !this.$refs[place]?.contains(event.target));
      if (leaves("alarms")) this.open = false;
      if (leaves("mine")) this.mine = false;
    };
    for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, this.close);
  },
  beforeUnmount() {
    for (const kind of ["keydown", "pointerdown"]) document.removeEventListener(kind, this.close);
  },
  methods: {
    turn() {
      this.theme = THEMES[this.theme].next;
      window.loupeTheme.choose(this.theme);
    },
    logOut: () => submit("/logout"),
    href: (alarm) => (alarm.line ? `${base}/line/${alarm.line}` : undefined),
  },
  template: `
    <div class="lp-masthead">
      <button class="lp-button lp-burger" type="button" aria-label="Menu" @click="$emit('menu')"><svg class="lp-icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M2 4h12M2 8h12M2 12h12" /></svg></button>
      <a class="lp-brand" :href="home" aria-label="Loupe, to the wall"><img :src="logo" alt="" width="28" height="28" /><strong>Loupe</strong></a>
      <span class="lp-site">{{ site }}</span>
      <span class="lp-space"></span>
      <span class="lp-chip lp-link" :class="'lp-' + link.tone" role="status" :data-link="link.word" :title="signal ? '' : why"><Icon :name="link.icon" /><span>{{ link.word }}</span></span>
      <div class="lp-alarms" ref="alarms">
        <button class="lp-button" type="button" :aria-label="alarms.length + ' alarms'" :aria-expanded="open" @click="open = !open"><Icon name="bell" /><b v-if="alarms.length" :class="{ 'lp-mild': !alarms.some((alarm) => alarm.severity === 'bad') }">{{ alarms.length }}</b></button>
        <div v-if="open" class="lp-card lp-popover" role="dialog" aria-label="Alarms">
          <p v-if="!alarms.length" class="lp-quiet">All lines run, nothing is behind.</p>
          <ul v-else><li v-for="alarm in alarms"><a :href="href(alarm)"><Icon :name="alarm.severity === 'bad' ? 'nosignal' : 'clock'" :class="alarm.severity === 'bad' ? 'lp-bad' : 'lp-warn'" />{{ alarm.text }}</a></li></ul>
        </div>
      </div>
      <button class="lp-button" type="button" :aria-label="'Theme: ' + theme" :title="'Theme: ' + theme" @click="turn"><Icon :name="icon" /></button>
      <div class="lp-alarms" ref="mine">
        <button class="lp-button lp-me" type="button" :aria-label="'You: ' + user + ', ' + role" :aria-expanded="mine" @click="mine = !mine"><Icon name="person" /><span>{{ user }}</span></button>
        <div v-if="mine" class="lp-card lp-popover lp-mine" role="dialog" aria-label="You">
          <p><strong>{{ user }}</strong><span class="lp-quiet">{{ role }}</span></p>
          <a :href="home + 'password'"><Icon name="key" />Change password</a>
          <button type="button" @click="logOut"><Icon name="leave" />Log out</button>
        </div>
      </div>
    </div>`,
};
