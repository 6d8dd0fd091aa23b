// A new line with its first camera. What the dashboard says is wrong stands beside the field that it is about.
import { Icon } from "loupe/icon.js";
import { call } from "loupe/rest.js";

const FIELDS = {
  id: { word: "Id", hint: "a-z, 0-9 and '-'", about: "id", placeholder: "ceramic-tile", required: true },
  name: { word: "Name", hint: "what people call it", about: "name", placeholder: "Ceramic tile" },
  product: { word: "Product", hint: "what it makes just now", about: "product", placeholder: "tile-a" },
  camera: { word: "Camera", hint: "its id", about: "cameras.0.id", placeholder: "top", required: true },
  source: { word: "Source", hint: "folder:PATH, video:PATH, synthetic:KIND or push:", about: "cameras.0.source", placeholder: "folder:/data/tiles?fps=5", required: true },
};
const blank = () => ({ id: "", name: "", product: "", camera: "", source: "" });

export const LinesForm = {
  components: { Icon },
  emits: ["added", "close"],
  data: () => ({ FIELDS, line: blank(), mistakes: {}, problem: "", busy: false }),
  mounted() {
    this.$refs.form.querySelector("input").focus();
  },
  methods: {
    async add() {
      Object.assign(this, { busy: true, mistakes: {}, problem: "" });
      const { camera, source, ...line } = this.line;
      const said = Object.fromEntries(Object.entries(line).filter(([, value]) => value));
      try {
        const added = await call("POST", "lines", { ...said, cameras: [{ id: camera, source }] });
        this.line = blank();
        this.$emit("added", added.id);
      } catch (error) {
        this.tell(error);
      }
      this.busy = false;
    },
    tell(error) {
      this.mistakes = error.status === 409 ? { id: error.message } : mistakesIn(error.message);
      const first = Object.keys(FIELDS).find((name) => this.mistakes[name]);
      if (first) this.$nextTick(() => this.$refs.form.querySelector(`#lp-new-${first}`).focus());
      else this.problem = error.message;
    },
  },
  template: `
    <form ref="form" class="lp-card lp-adder lp-newline" aria-label="New line" novalidate @submit.prevent="add" @keydown.esc="$emit('close')">
      <label v-for="(field, name) in FIELDS" :key="name" :class="{ 'lp-wide': name === 'source' }">{{ field.word }} <small class="lp-quiet">{{ field.hint }}</small>
        <input :id="'lp-new-' + name" v-model.trim="line[name]" :placeholder="field.placeholder" :required="field.required" maxlength="500" autocomplete="off" spellcheck="false" :aria-invalid="mistakes[name] ? 'true' : null" :aria-describedby="mistakes[name] ? 'lp-wrong-' + name : null" />
        <span v-if="mistakes[name]" :id="'lp-wrong-' + name" class="lp-mistake lp-bad" role="alert">{{ mistakes[name] }}</span></label>
      <footer><button class="lp-primary" type="submit" :disabled="busy"><Icon name="plus" />Add line</button><button class="lp-plain" type="button" @click="$emit('close')">Cancel</button>
        <p class="lp-quiet">Its frames are recorded, not judged, until its first model is put to work.</p></footer>
      <p v-if="problem" class="lp-mistake lp-bad" role="alert">{{ problem }}</p>
    </form>`,
};

/** "cameras.0.source: Value error, source: expected ..., got ..." -> by field. */
function mistakesIn(message) {
  const told = message.split(/; (?=[a-z_.0-9]+: )/).map((one) => [one.slice(0, one.indexOf(": ")), one.slice(one.indexOf(": ") + 2)]);
  const found = Object.entries(FIELDS).map(([name, { about }]) => [name, told.find(([where]) => where === about)?.[1]]);
  return Object.fromEntries(found.filter(([, text]) => text).map(([name, text]) => [name, text.replace(/^Value error, /, "").replace(/, got .*$/, "")]));
}
