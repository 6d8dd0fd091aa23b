// Beside the picture: what the machine said, the answers with their keys, the defect's class, and a good part to hold it against.
import { Icon } from "loupe/icon.js";
import { Scale } from "loupe/scale.js";
import { day, decisionOf, score, short } from "loupe/words.js";

const DEEDS = [
  { name: "confirm", key: "Y", word: "Confirm defect", tone: "bad" },
  { name: "fix", key: "F", word: "Fix and confirm", tone: "bad-line" },
  { name: "good", key: "N", word: "Not a defect", tone: "ok" },
  { name: "skip", key: "S", word: "Skip", tone: "" },
];
const SAID = { defect: "Defect", good: "Not a defect", withdrawn: "Taken back" };

export const ReviewPanel = {
  components: { Icon, Scale },
  props: { item: Object, state: Object, classes: Array, zone: String, locked: String, unseen: Boolean, readonly: Boolean, canUndo: Boolean, last: Object },
  emits: ["deed", "class", "open"],
  data: () => ({ deeds: DEEDS }),
  computed: {
    machine: ({ item }) => item?.machine,
    facts: ({ item, machine, zone }) => [
      ["Line", `${item.line} · ${item.camera}`],
      ["Captured", day(item.captured_at, zone, true)],
      ...(item.product ? [["Product", item.product]] : []),
      ...(item.part_id ? [["Part", item.part_id]] : []),
      ...(item.width ? [["Picture", `${item.width} × ${item.height}`]] : []),
      ...(machine?.model_version ? [["Model", short(machine.model_version), machine.model_version]] : []),
    ],
    given: ({ item }) => [item?.verdict, item?.second].filter((one) => one && one.answer !== "withdrawn"),
  },
  methods: {
    day,
    decisionOf,
    score,
    said: (verdict) => SAID[verdict.answer],
    label(verdict) {
      return this.classes.find((one) => one.name === verdict.defect_class)?.label ?? verdict.defect_class;
    },
  },
  template: `
    <aside class="lp-panel" aria-label="This picture">
      <section v-if="item" class="lp-card lp-box">
        <template v-if="item.blind"><h2 class="lp-chip lp-calm"><Icon name="eye" />Blind check</h2><p class="lp-quiet" data-blind>Answer by the picture alone. What the machine said is shown afterwards.</p></template>
        <Scale v-else :score="machine.score" :calibration="machine.calibration" :decision="decisionOf(machine)" :signal="true" />
        <ul v-if="given.length" class="lp-given"><li v-for="one in given" :key="one.verdict_id"><strong>{{ said(one) }}</strong><template v-if="one.defect_class"> · {{ label(one) }}</template><small>{{ one.given_by }}, {{ day(one.given_at, zone) }}{{ one.blind ? ", blind" : "" }}{{ one.second ? ", second" : "" }}</small></li></ul>
      </section>
      <section v-if="item && !readonly" class="lp-card lp-box lp-deeds" aria-label="Answer">
        <p v-if="locked && locked !== 'Loading'" class="lp-locked"><Icon name="lock" />{{ locked }}</p>
        <button v-for="deed in deeds" :key="deed.name" class="lp-deed" :class="deed.tone && 'lp-deed-' + deed.tone" type="button" :disabled="Boolean(locked) && !(unseen && deed.name === 'skip')" :aria-keyshortcuts="deed.key" :data-deed="deed.name" @click="$emit('deed', deed.name)">{{ deed.word }}<kbd>{{ deed.key }}</kbd></button>
        <fieldset v-if="classes.length" class="lp-classes" :disabled="Boolean(locked)"><legend>Class</legend>
          <button v-for="(one, index) in classes" :key="one.name" type="button" :aria-pressed="state?.defectClass === one.name" :data-class="one.name" @click="$emit('class', index)"><kbd v-if="index < 9">{{ index + 1 }}</kbd>{{ one.label }}</button>
        </fieldset>
      </section>
      <section v-if="readonly" class="lp-card lp-box"><p class="lp-quiet lp-locked" data-readonly><Icon name="eye" />You may look. Supervisors answer.</p></section>
      <section v-if="!readonly" class="lp-card lp-box lp-last" aria-label="Last answer">
        <p v-if="!last" class="lp-quiet">Nothing answered yet.</p>
        <template v-else>
          <p><strong>{{ last.word }}</strong> <span class="lp-quiet">{{ last.frame_id.split("/").slice(0, 2).join(" · ") }}</span></p>
          <p v-if="last.machine" data-truth>It was a blind check. The machine had said <span class="lp-chip" :class="'lp-' + decisionOf(last.machine).tone"><Icon :name="decisionOf(last.machine).icon" />{{ decisionOf(last.machine).word }}</span> with {{ score(last.machine.score) }}.</p>
          <p class="lp-quiet" v-else-if="last.blind">It was a blind check.</p>
          <button v-if="last.machine" class="lp-plain" type="button" @click="$emit('open', last.frame_id)">Look at its heat map</button>
        </template>
        <button class="lp-deed" type="button" :disabled="!canUndo" aria-keyshortcuts="U" data-deed="takeBack" @click="$emit('deed', 'takeBack')">Undo last answer<kbd>U</kbd></button>
      </section>
      <section v-if="item" class="lp-card lp-box lp-good"><h2>A good part</h2>
        <img v-if="state?.good" :src="state.good" :alt="'A good part: ' + state.goodId" draggable="false" /><p v-else-if="state?.goodKnown" class="lp-quiet">None of this line and camera is known yet.</p>
      </section>
      <section v-if="item" class="lp-card lp-box"><h2 class="lp-hidden">Facts</h2><dl class="lp-facts"><template v-for="[name, value, whole] in facts" :key="name"><dt>{{ name }}</dt><dd :title="whole">{{ value }}</dd></template></dl></section>
    </aside>`,
};
