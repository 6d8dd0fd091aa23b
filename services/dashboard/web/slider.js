// The viewer's own opacity of the heat map, kept by the browser.
import { reactive } from "vue";

const KEY = "loupe-heat";
export const opacity = reactive({ value: Number(localStorage.getItem(KEY) ?? 0.8) });

export const HeatSlider = {
  setup: () => ({ opacity }),
  computed: { percent: ({ opacity }) => Math.round(opacity.value * 100) },
  methods: {
    set(event) {
      opacity.value = event.target.value / 100;
      localStorage.setItem(KEY, opacity.value);
    },
  },
  template: `
    <label class="lp-slider"><span>Heat map</span>
      <input type="range" min="0" max="100" step="5" :value="percent" :style="{ '--share': percent + '%' }" :aria-valuetext="percent + ' percent'" @input="set" />
      <output>{{ percent }} %</output>
    </label>`,
};
