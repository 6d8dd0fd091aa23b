// The page of history: what was inspected, by line, time, decision, score, part and model; newest first, a page at a time; any of it opened.
//
// Filters and the opened inspection are in the address, so that a link leads to what somebody saw. Arrow keys go through the rows.
import { base } from "loupe/base.js";
import { CountBars } from "loupe/countbars.js";
import { Icon } from "loupe/icon.js";
import { HistoryFilters, PERIODS, toQuery } from "loupe/historyfilters.js";
import { HistoryPart } from "loupe/historypart.js";
import { call } from "loupe/rest.js";
import { BLIND, count, day, decisionOf, score, short, verdictOf } from "loupe/words.js";

const AT_ONCE = 50;
const LONG_MS = 4 * 86_400_000; // above it, days are counted instead of hours

export default {
  components: { CountBars, HistoryFilters, HistoryPart, Icon },
  props: { zone: String, role: String },
  data() {
    const asked = Object.fromEntries(new URLSearchParams(location.search));
    const { frame, ...filters } = asked;
    return { asked: { period: PERIODS[1].name, ...filters }, opened: frame ?? null, rows: [], after: null, counts: [], lines: [], extent: null, problem: "", busy: false, read: false, turn: 0 };
  },
  computed: {
    query: ({ asked }) => toQuery(asked),
    by: ({ asked }) => (spanOf(asked) > LONG_MS ? "day" : "hour"),
    kept: ({ extent }) => (extent?.inspections ? `${count(extent.inspections)} inspections since ${extent.first_day} (UTC), ${size(extent.bytes)}` : "Nothing is kept yet"),
    names: ({ lines }) => Object.fromEntries(lines.map((line) => [line.id, line.name])),
  },
  watch: {
    asked: { deep: true, handler: "begin" },
    opened: "remember",
  },
  async mounted() {
    this.begin();
    const [lines, extent] = await Promise.all([call("GET", "lines").catch(() => []), call("GET", "history/extent").catch(() => null)]);
    Object.assign(this, { lines, extent });
  },
  methods: {
    count,
    day,
    score,
    short,
    shown: (row) => (row.blind ? BLIND : decisionOf(row)),
    said: (row) => (row.verdict ? verdictOf(row.verdict) : null),
    exported(kind) {
      return `${base}/api/v1/history.${kind}?${this.query}`;
    },
    remember() {
      const kept = Object.fromEntries(Object.entries({ ...this.asked, frame: this.opened }).filter(([, value]) => value));
      history.replaceState(null, "", `?${new URLSearchParams(kept)}`);
    },
    begin() {
      this.remember();
      this.turn += 1;
      return Promise.all([this.load(null), this.loadCounts()]);
    },
    async load(after) {
      const turn = this.turn;
      this.busy = true;
      try {
        const found = await call("GET", `history?${[this.query, `limit=${AT_ONCE}`, after ? `after=${encodeURIComponent(after)}` : ""].filter(Boolean).join("&")}`);
        if (turn !== this.turn) return; // asked for something else meanwhile
        Object.assign(this, { rows: after ? [...this.rows, ...found.rows] : found.rows, after: found.after, problem: "", read: true });
      } catch (error) {
        if (turn === this.turn) Object.assign(this, { problem: error.message, ...(after ? {} : { rows: [], after: null }) });
      }
      if (turn === this.turn) this.busy = false;
    },
    async loadCounts() {
      const turn = this.turn;
      const found = await call("GET", `history/counts?${[this.query, `by=${this.by}`].filter(Boolean).join("&")}`).catch(() => []);
      if (turn === this.turn) this.counts = found;
    },
    open(frameId) {
      this.opened = frameId;
    },
    close() {
      const row = this.$refs.table?.querySelector(`[data-frame="${CSS.escape(this.opened)}"] button`);
      this.opened = null;
      row?.focus();
    },
    go(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const all = [...this.$refs.table.querySelectorAll("tbody button")];
      const next = all[all.indexOf(document.activeElement) + step];
      next?.focus();
      if (next && this.opened) this.open(next.closest("tr").dataset.frame);
    },
  },
  template: `
    <div class="lp-page lp-history" :data-read="read && !busy ? rows.length : null">
      <div class="lp-bar">
        <div class="lp-title"><h1>History</h1><p class="lp-quiet">{{ kept }}</p></div>
        <div class="lp-tools">
          <a class="lp-button lp-export" :href="exported('csv')" download><Icon name="down" />CSV</a>
          <a v-if="role !== 'operator'" class="lp-button lp-export" :href="exported('zip')" download title="Pictures that people answered, in MVTec layout"><Icon name="down" />Pictures</a>
        </div>
      </div>
      <p v-if="extent?.problem" class="lp-card lp-alert" role="alert"><Icon name="pause" />Nothing is added just now: {{ extent.problem }}</p>
      <HistoryFilters v-model="asked" :lines="lines" />
      <CountBars :counts="counts" :by="by" :zone="zone" />
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <div class="lp-found" :class="{ 'lp-halves': opened }">
        <section class="lp-card lp-listed" aria-label="Inspections" :aria-busy="busy">
          <div class="lp-scroll"><table ref="table" class="lp-table" @keydown="go">
            <thead><tr><th scope="col">Inspected</th><th scope="col">Decision</th><th scope="col" class="lp-right">Score</th><th scope="col">Verdict</th><th scope="col">Line</th><th scope="col">Camera</th><th scope="col">Part</th><th scope="col">Product</th><th scope="col">Model</th></tr></thead>
            <tbody><tr v-for="row in rows" :key="row.frame_id" :data-frame="row.frame_id" :class="{ 'lp-chosen': row.frame_id === opened }" @click="open(row.frame_id)">
              <th scope="row"><button class="lp-row" type="button" :aria-pressed="row.frame_id === opened" @click.stop="open(row.frame_id)">{{ day(row.inspected_at, zone, true) }}</button></th>
              <td><span class="lp-chip" :class="'lp-' + shown(row).tone"><Icon :name="shown(row).icon" />{{ shown(row).word }}</span></td>
              <td class="lp-right">{{ score(row.score) }}</td>
              <td><span v-if="said(row)" class="lp-chip" :class="'lp-' + said(row).tone"><Icon :name="said(row).icon" />{{ said(row).word }}</span><template v-else>–</template></td>
              <td>{{ names[row.line] ?? row.line }}</td><td>{{ row.camera }}</td><td>{{ row.part_id ?? '–' }}</td><td>{{ row.product ?? '–' }}</td>
              <td><code v-if="row.model_version">{{ short(row.model_version) }}</code><template v-else>–</template></td>
            </tr></tbody>
          </table></div>
          <p v-if="read && !rows.length && !problem" class="lp-hint">Nothing of this kind was inspected in this time.</p>
          <p v-if="!read && !problem" class="lp-hint">Searching</p>
          <button v-if="after" class="lp-plain lp-more" type="button" :disabled="busy" @click="load(after)">Older ones</button>
        </section>
        <HistoryPart v-if="opened" :frame-id="opened" :zone="zone" :names="names" :may="role !== 'operator'" @close="close" />
      </div>
    </div>`,
};

function spanOf(asked) {
  const period = PERIODS.find((one) => one.name === asked.period);
  if (period) return period.ms ?? Infinity;
  const [since, until] = [asked.since ? new Date(asked.since).getTime() : 0, asked.until ? new Date(asked.until).getTime() : Date.now()];
  return until - since;
}

const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);
