// The tools above the picture, each with its key.
import { Icon } from "loupe/icon.js";
import { HeatSlider } from "loupe/slider.js";

const TOOLS = [
  { name: "pan", icon: "hand", key: "V", word: "Move" },
  { name: "brush", icon: "brush", key: "B", word: "Brush" },
  { name: "eraser", icon: "eraser", key: "E", word: "Eraser" },
  { name: "polygon", icon: "polygon", key: "P", word: "Polygon" },
];

export const Toolbar = {
  components: { HeatSlider, Icon },
  props: { tool: String, size: Number, threshold: Number, hasMap: Boolean, hasGood: Boolean, mask: Boolean, compare: Boolean, readonly: Boolean, can: Object },
  emits: ["tool", "size", "threshold", "seeded", "deed"],
  data: () => ({ tools: TOOLS }),
  computed: {
    shown: ({ tools, readonly }) => (readonly ? tools.slice(0, 1) : tools),
    shareOfSize: ({ size }) => `${((size - 1) / 1.27).toFixed(0)}%`,
    percent: ({ threshold }) => Math.round(threshold * 100),
  },
  template: `
    <div class="lp-toolbar" role="toolbar" aria-label="Tools">
      <div class="lp-set" role="group" aria-label="Tool"><button v-for="one in shown" :key="one.name" class="lp-button" type="button" :aria-pressed="tool === one.name" :aria-label="one.word" :aria-keyshortcuts="one.key" :title="one.word + ' (' + one.key + ')'" @click="$emit('tool', one.name)"><Icon :name="one.icon" /><kbd>{{ one.key }}</kbd></button></div>
      <div class="lp-set" role="group" aria-label="Drawing" v-if="!readonly">
        <button class="lp-button" type="button" :disabled="!can.undo" aria-label="Undo" title="Undo (Ctrl Z)" @click="$emit('deed', 'undo')"><Icon name="undo" /></button>
        <button class="lp-button" type="button" :disabled="!can.redo" aria-label="Redo" title="Redo (Ctrl Shift Z)" @click="$emit('deed', 'redo')"><Icon name="redo" /></button>
        <button class="lp-button" type="button" aria-label="Clear the mask" title="Clear the mask (X)" @click="$emit('deed', 'clear')"><Icon name="cross" /></button>
      </div>
      <div class="lp-set lp-right" role="group" aria-label="View">
        <button class="lp-button" type="button" aria-label="Mask" :aria-pressed="mask" title="Mask (M)" @click="$emit('deed', 'mask')"><Icon name="eye" /></button>
        <button v-if="hasGood" class="lp-button" type="button" aria-label="The good part in its place" :aria-pressed="compare" title="The good part in its place (R)" @click="$emit('deed', 'compare')"><Icon name="compare" /></button>
        <button class="lp-button" type="button" aria-label="Whole picture" title="Whole picture (0)" @click="$emit('deed', 'whole')"><Icon name="fit" /></button>
        <button class="lp-button" type="button" aria-label="All keys" title="All keys (?)" @click="$emit('deed', 'help')"><Icon name="help" /></button>
      </div>
      <div class="lp-sliders">
        <label v-if="!readonly" class="lp-slider lp-short" title="[ and ]"><span>Size</span><input type="range" min="1" max="128" :value="size" :style="{ '--share': shareOfSize }" @input="$emit('size', Number($event.target.value))" /><output>{{ size }}</output></label>
        <HeatSlider v-if="hasMap" class="lp-short" />
        <label v-if="hasMap && !readonly" class="lp-slider lp-short" title="The mask from the heat map, , and ."><span>Mask from</span><input type="range" min="2" max="98" :value="percent" :style="{ '--share': percent + '%' }" :aria-valuetext="'heat of ' + percent + ' percent'" data-slider="threshold" @input="$emit('threshold', Number($event.target.value) / 100)" @change="$emit('seeded')" /><output>{{ percent }} %</output></label>
      </div>
    </div>`,
};
