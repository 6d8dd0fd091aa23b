// Recorded frames as a grid. A click or Space throws one out, or takes it back; arrow keys go from one to the next, also up and down.
import { Icon } from "loupe/icon.js";
import { base } from "loupe/base.js";
import { clock } from "loupe/words.js";

const STATES = {
  true: { word: "kept", icon: "check", tone: "ok" },
  false: { word: "thrown out", icon: "cross", tone: "bad" },
};
const WIDTH = 200; // of a thumbnail, for screens with two pixels to one

export const LinesGrid = {
  components: { Icon },
  props: { rows: Array, zone: String, doubted: Array, frozen: Boolean },
  emits: ["turn"],
  data: () => ({ at: 0 }),
  methods: {
    stateOf: (row) => STATES[row.kept] ?? null,
    unlike(row) {
      return this.doubted.includes(row.picture);
    },
    image: (row) => `${base}/api/v1/history/frames/${row.frame_id}/image?width=${WIDTH}`,
    label(row) {
      const words = [row.part_id ?? row.frame_id.split("/").pop(), clock(row.captured_at, this.zone), this.stateOf(row)?.word ?? "nobody said", ...(this.unlike(row) ? ["unlike the others"] : [])];
      return words.join(", ");
    },
    go(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns(), ArrowUp: -this.columns() }[event.key] ?? { Home: -this.at, End: this.rows.length - 1 - this.at }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = this.at + step;
      if (next < 0 || next >= this.rows.length) return;
      this.at = next;
      this.$refs.tiles[next].focus();
    },
    columns() {
      const tops = this.$refs.tiles.map((tile) => tile.offsetTop);
      const first = tops.findIndex((top) => top !== tops[0]);
      return first < 0 ? tops.length : first;
    },
    turn(row, index) {
      this.at = index;
      if (!this.frozen) this.$emit("turn", row);
    },
  },
  template: `
    <div class="lp-frames" role="group" aria-label="Recorded frames" @keydown="go">
      <button v-for="(row, index) in rows" :key="row.frame_id" ref="tiles" class="lp-frame" :class="stateOf(row) && 'lp-was-' + stateOf(row).tone" type="button" :data-frame="row.frame_id" :data-kept="String(row.kept)" :tabindex="index === at ? 0 : -1" :aria-label="label(row)" :aria-pressed="row.kept === false" @focus="at = index" @click="turn(row, index)">
        <img :src="image(row)" alt="" loading="lazy" decoding="async" />
        <span v-if="stateOf(row)" class="lp-chip" :class="'lp-' + stateOf(row).tone"><Icon :name="stateOf(row).icon" /></span>
        <span v-if="unlike(row)" class="lp-chip lp-warn lp-unlike" title="Unlike the others: is it good?"><Icon name="eye" /></span>
      </button>
    </div>`,
};
