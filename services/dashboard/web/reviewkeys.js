// The keys of the review: what each does, the sheet that `?` opens, and when a key is none of ours.

/** Of everything else the browser may do what it always does. */
export const KEYS = [
  { name: "Answers", keys: [
    { keys: ["Y"], does: "Confirm: a defect, with the machine's own mask", deed: "confirm" },
    { keys: ["F"], does: "Fix and confirm: a defect, with the mask as drawn", deed: "fix" },
    { keys: ["N"], does: "Not a defect", deed: "good" },
    { keys: ["S"], does: "Skip: offer it to others", deed: "skip" },
    { keys: ["U"], does: "Undo the last answer", deed: "takeBack" },
    { keys: ["1", "…", "9"], does: "Class of the defect" },
    { keys: ["J"], does: "Next picture", deed: "next" },
    { keys: ["K"], does: "Picture before", deed: "previous" },
  ] },
  { name: "Drawing", keys: [
    { keys: ["B"], does: "Brush", deed: "brush" },
    { keys: ["E"], does: "Eraser, as does Shift held down", deed: "eraser" },
    { keys: ["P"], does: "Polygon; Enter or its first corner closes it", deed: "polygon" },
    { keys: ["V"], does: "Move the picture", deed: "pan" },
    { keys: ["[", "]"], does: "Smaller, larger" },
    { keys: [",", "."], does: "Mask from the heat map: more, less of it" },
    { keys: ["X"], does: "Clear the mask", deed: "clear" },
    { keys: ["Ctrl", "Z"], does: "Undo; with Shift: redo" },
    { keys: ["↑ ↓ ← →"], does: "On the picture: move the brush; Enter puts it down and lifts it" },
  ] },
  { name: "Looking", keys: [
    { keys: ["+", "−"], does: "Zoom in, out; so does the wheel" },
    { keys: ["0"], does: "Whole picture", deed: "whole" },
    { keys: ["Space"], does: "Held down: drag the picture" },
    { keys: ["H"], does: "Heat map on and off", deed: "toggleHeat" },
    { keys: ["M"], does: "Mask on and off", deed: "toggleMask" },
    { keys: ["R"], does: "The good part in its place", deed: "toggleCompare" },
  ] },
  { name: "Queue", keys: [
    { keys: ["Ctrl", "A"], does: "Select all; Shift or Ctrl and a click select some" },
    { keys: ["Esc"], does: "Select none", deed: "dismiss" },
    { keys: ["?"], does: "This sheet", deed: "help" },
  ] },
];

const DEEDS = new Map(KEYS.flatMap(({ keys }) => keys).filter(({ deed }) => deed).map(({ keys, deed }) => [keys[0].toLowerCase(), deed]));
const MORE = { escape: "dismiss", "[": "smaller", "]": "larger", ",": "lower", ".": "higher", "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", "−": "zoomOut", delete: "clear" };
const REPEATED = new Set(["smaller", "larger", "lower", "higher", "zoomIn", "zoomOut", "next", "previous", "undo", "redo"]);
const FIELDS = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable=true], dialog *";

/** What a key press asks for: [deed, argument], or null where it is not for us. A key held down answers one picture, not twenty. */
export function deedOf(event) {
  if (event.defaultPrevented || event.isComposing || event.target.closest?.(FIELDS) || document.querySelector("dialog[open]")) return null;
  const key = event.key.toLowerCase();
  const deed = event.altKey ? null : event.ctrlKey || event.metaKey ? { z: event.shiftKey ? "redo" : "undo", y: "redo", a: "pickAll" }[key] : (MORE[key] ?? DEEDS.get(key));
  if (!deed && /^[1-9]$/.test(key) && !(event.ctrlKey || event.metaKey || event.altKey)) return ["setClass", Number(key) - 1];
  return deed && !(event.repeat && !REPEATED.has(deed)) ? [deed] : null;
}

export const KeySheet = {
  data: () => ({ groups: KEYS }),
  methods: {
    open() {
      this.$refs.dialog.showModal();
    },
  },
  template: `
    <dialog ref="dialog" class="lp-card lp-ask lp-keys" aria-labelledby="lp-keys">
      <form method="dialog">
        <header><h2 id="lp-keys">Keys</h2><button class="lp-plain" value="">Close</button></header>
        <div><section v-for="group in groups" :key="group.name"><h3>{{ group.name }}</h3>
          <dl><template v-for="one in group.keys" :key="one.does"><dt><kbd v-for="key in one.keys">{{ key }}</kbd></dt><dd>{{ one.does }}</dd></template></dl>
        </section></div>
      </form>
    </dialog>`,
};
