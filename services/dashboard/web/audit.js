// The page of the audit: who did what, newest first, by person, kind of deed and day; the same as CSV.
import { Icon } from "loupe/icon.js";
import { base } from "loupe/base.js";
import { call } from "loupe/rest.js";
import { day } from "loupe/words.js";

const AT_ONCE = 100;

export default {
  components: { Icon },
  props: { zone: String },
  data: () => ({ deeds: [], users: [], actions: [], asked: { user: "", action: "", since: "", until: "" }, more: false, problem: "", read: false }),
  computed: {
    query: ({ asked }) => {
      const until = asked.until ? new Date(new Date(`${asked.until}T00:00:00`).getTime() + 86_400_000).toISOString() : "";
      const given = { user: asked.user, action: asked.action, since: asked.since ? new Date(`${asked.since}T00:00:00`).toISOString() : "", until };
      return new URLSearchParams(Object.entries(given).filter(([, value]) => value)).toString();
    },
    csv: ({ query }) => `${base}/api/v1/audit.csv${query ? `?${query}` : ""}`,
  },
  watch: { query: "start" },
  mounted() {
    this.start();
  },
  methods: {
    day,
    start() {
      return this.load("");
    },
    older() {
      return this.load(`before=${this.deeds.at(-1).id}`);
    },
    async load(page) {
      const query = this.query;
      try {
        const found = await call("GET", `audit?${[query, page, `limit=${AT_ONCE}`].filter(Boolean).join("&")}`);
        if (query !== this.query) return; // asked for something else meanwhile
        this.deeds = page ? [...this.deeds, ...found.deeds] : found.deeds;
        Object.assign(this, { users: found.users, actions: found.actions, more: found.deeds.length === AT_ONCE, problem: "", read: true });
      } catch (error) {
        this.problem = error.message;
      }
    },
    said: (details) => Object.entries(details).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", "),
  },
  template: `
    <div class="lp-page lp-people">
      <div class="lp-bar"><h1>Audit</h1><a class="lp-primary" :href="csv" download><Icon name="down" />CSV</a></div>
      <form class="lp-card lp-adder lp-asked" aria-label="Filter" @submit.prevent>
        <label>Who<select v-model="asked.user"><option value="">Everybody</option><option v-for="user in users">{{ user }}</option></select></label>
        <label>What<select v-model="asked.action"><option value="">Everything</option><option v-for="action in actions">{{ action }}</option></select></label>
        <label>From<input v-model="asked.since" type="date" :max="asked.until" /></label>
        <label>To<input v-model="asked.until" type="date" :min="asked.since" /></label>
      </form>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <section class="lp-card lp-listed" aria-label="Deeds">
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">Role</th><th scope="col">Did</th><th scope="col">To</th><th scope="col">Details</th><th scope="col">Address</th></tr></thead>
          <tbody><tr v-for="deed in deeds" :key="deed.id" :data-action="deed.action">
            <td>{{ day(deed.at, zone, true) }}</td><td>{{ deed.user }}</td><td class="lp-quiet">{{ deed.role || "–" }}</td><td><code>{{ deed.action }}</code></td><td>{{ deed.subject || "–" }}</td><td class="lp-quiet">{{ said(deed.details) || "–" }}</td><td class="lp-quiet">{{ deed.address || "–" }}</td>
          </tr></tbody>
        </table></div>
        <p v-if="read && !deeds.length" class="lp-hint">Nobody did anything of this kind.</p>
        <button v-if="more" class="lp-plain lp-more" type="button" @click="older">Older ones</button>
      </section>
    </div>`,
};
