// The page of reviews: queue, editor and answers, by keyboard. The next picture is there before the answer to the last one is on its way.
import { markRaw } from "vue";
import { Answers, newId } from "loupe/answers.js";
import { Ask } from "loupe/ask.js";
import { Deck, EVERYTHING } from "loupe/deck.js";
import { Editor } from "loupe/editor.js";
import { Icon } from "loupe/icon.js";
import { Kept } from "loupe/kept.js";
import { live, start } from "loupe/live.js";
import { encoded } from "loupe/maskpng.js";
import { call } from "loupe/rest.js";
import { counts, left, recount, startCounting } from "loupe/reviewcounts.js";
import { deedOf, KeySheet } from "loupe/reviewkeys.js";
import { ReviewPanel } from "loupe/reviewpanel.js";
import { ReviewQueue } from "loupe/reviewqueue.js";
import { opacity } from "loupe/slider.js";
import { Toolbar } from "loupe/toolbar.js";
import { clock } from "loupe/words.js";

const LOOK_AGAIN_MS = 8000;
const DRAFT_MS = 250;
const TAKEN_BACK_AT_MOST = 50;
const SIZES = [1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 96, 128];
const WORDS = { confirm: "Defect confirmed", fix: "Defect confirmed with your mask", good: "Not a defect", skip: "Skipped" };
const BULK = { defect: ["Confirm", "as defects, each with the machine's own mask", "Confirm", true], good: ["Call", "no defects", "Not a defect", false], skip: ["Skip", "and offer them to others", "Skip", false] };

export default {
  components: { Ask, Editor, Icon, KeySheet, ReviewPanel, ReviewQueue, Toolbar },
  props: { user: String, role: String },
  setup: () => ({ counts, live, opacity }),
  data: () => ({ deck: null, outgoing: null, current: null, view: null, picked: [], classes: {}, tool: "brush", size: 15, mask: true, compare: false, heatBefore: 0.8, can: {}, notice: null, said: "", last: null, given: [], draft: "", now: Date.now() }),
  computed: {
    readonly: ({ role }) => role === "operator",
    asked: ({ deck }) => deck?.asked ?? EVERYTHING,
    list({ deck, outgoing }) {
      return deck && outgoing ? this.table.list : []; // reads both, so that it follows them
    },
    lines: ({ live, counts }) => [...new Set([...(live.wall?.lines ?? []).map((line) => line.id), ...counts.lines.map((line) => line.line)])].map((id) => ({ id, name: live.wall?.lines.find((line) => line.id === id)?.name ?? id })),
    cameras: ({ live, asked }) => [...new Set((live.wall?.lines ?? []).filter((line) => !asked.line || line.id === asked.line).flatMap((line) => line.cameras.map((camera) => camera.id)))].sort(),
    zone: ({ live }) => live.wall?.time_zone ?? "UTC",
    left: ({ counts, asked, outgoing }) => Math.max(0, counts.lines.filter((line) => !asked.line || line.line === asked.line).reduce((sum, line) => sum + left(line), 0) - (outgoing?.waiting.length ?? 0)),
    ownClasses: ({ classes, current }) => classes[current?.line] ?? [],
    askedClasses: ({ classes, asked }) => classes[asked.line] ?? Object.values(classes).flat(),
    locked({ current, view, outgoing }) {
      if (!current) return "";
      if (current.claim && !current.claim.mine) return `${current.claim.by} has it since ${clock(current.claim.at, this.zone, false)}`;
      if (view?.problem) return view.problem;
      if (current.verdict && outgoing?.waiting.some((answer) => answer.deed === "undo" && answer.frame_id === current.frame_id)) return "Being taken back";
      return view?.state.ready ? "" : "Loading";
    },
    ready({ deck }) {
      return deck?.hand.filter((item) => this.table.views.of(item).state.ready).length ?? 0;
    },
    unseen: ({ current, view }) => Boolean(view?.state.ready && view.problem && (!current.claim || current.claim.mine)),
    still: ({ readonly, locked }) => readonly || Boolean(locked && locked !== "Loading"),
    waiting: ({ outgoing }) => (outgoing?.away ? outgoing.waiting.length : 0),
  },
  watch: {
    "current.line": { handler: "loadClasses" },
    "asked.line": { handler: "loadClasses" },
  },
  created() {
    this.kept = markRaw(new Kept(this.user));
    this.answers = markRaw(new Answers(this.kept, { told: this.told, refused: this.refused }));
    this.table = markRaw(new Deck({ user: this.user, mayAnswer: this.role !== "operator", kept: this.kept, answers: this.answers, lost: this.lost }));
    this.deck = this.table.state;
    this.outgoing = this.answers.state;
  },
  async mounted() {
    start();
    startCounting();
    window.addEventListener("keydown", this.key);
    window.addEventListener("keyup", this.keyUp);
    window.addEventListener("blur", this.keyUp);
    this.looking = setInterval(() => document.hidden || this.lookAgain(), LOOK_AGAIN_MS);
    this.given = JSON.parse(sessionStorage.getItem(this.kept.name) ?? "[]");
    this.kept.forgetOldDrafts().catch(() => null);
    await this.answers.resume();
    const asked = new URLSearchParams(location.search);
    this.deck.asked.line = asked.get("line") ?? "";
    await this.begin(asked.get("frame"));
  },
  beforeUnmount() {
    window.removeEventListener("keydown", this.key);
    for (const kind of ["keyup", "blur"]) window.removeEventListener(kind, this.keyUp);
    clearInterval(this.looking);
    this.table.close();
    this.answers.close();
  },
  methods: {
    // Which picture

    async begin(frameId) {
      await this.table.refresh();
      if (frameId) await this.open(frameId);
      this.fill();
    },
    /** More for the hand; where nothing is shown, the first that comes. */
    async fill() {
      if (this.table.dealsOut) await this.table.deal((item) => (this.current ? this.prepare() : this.show(item)));
      if (!this.current && this.list.length) this.open((this.list.find((item) => !item.claim || item.claim.mine) ?? this.list[0]).frame_id);
    },
    show(item) {
      Object.assign(this, { current: item, view: item && this.table.views.of(item), compare: false, can: {} });
      if (this.table.corrected?.frame_id !== item?.frame_id) this.table.correct(null);
      if (!item) return this.say("Nothing is left in this queue.");
      history.replaceState(null, "", `?${new URLSearchParams({ ...(this.asked.line && { line: this.asked.line }), frame: item.frame_id })}`);
      this.prepare();
    },
    prepare() {
      this.table.prepare(this.current?.frame_id, this.given.slice(-2).map((one) => one.frame_id));
    },
    async open(frameId) {
      const item = this.table.find(frameId) ?? (await this.table.item(frameId).catch((error) => this.warn(error.message)));
      if (!item) return;
      this.show(item);
      if (!this.readonly) await this.take(item);
    },
    async take(item) {
      try {
        item.claim = await this.table.claims.take(item);
        if (item.open && this.table.dealsOut) this.table.add(item, { first: true });
        else if (this.current?.frame_id === item.frame_id) this.table.correct(item);
      } catch (error) {
        if (error.conflict?.kind === "claimed") item.claim = { ...error.conflict, mine: false };
        else if (error.conflict) await this.reload(item.frame_id);
        else if (error.status) this.warn(error.message);
      }
      if (this.current?.frame_id === item.frame_id) this.current = this.table.find(item.frame_id) ?? { ...item };
    },
    async reload(frameId) {
      const item = await this.table.item(frameId).catch(() => null);
      if (item && this.current?.frame_id === frameId) this.show(item);
    },
    step(by) {
      const item = this.current ? this.table.beside(this.current.frame_id, by) : null;
      if (item) this.open(item.frame_id);
    },
    async lookAgain() {
      this.now = Date.now();
      await this.table.refresh();
      if (this.unseen && !this.waiting) this.show(this.current); // its picture may be had again
      if (!this.current || this.deck.hand.length < 2) this.fill();
    },
    async ask(asked) {
      const line = asked.line !== this.asked.line || asked.state !== this.asked.state;
      Object.assign(this.deck.asked, asked, line ? { defect_class: "" } : {});
      this.table.letGo();
      Object.assign(this, { current: null, view: null, picked: [] });
      await this.table.refresh();
      this.fill();
    },
    async loadClasses() {
      for (const line of new Set([this.current?.line, this.asked.line].filter((one) => one && !this.classes[one]))) {
        const found = await call("GET", `review/lines/${line}/defect-classes`).catch(() => null);
        if (found) this.classes[line] = found;
      }
    },

    // Answers

    answer(deed) {
      const { current: item, view } = this;
      if (!item || this.readonly) return;
      if (this.locked && !(deed === "skip" && this.unseen)) return this.say(this.locked);
      const fields = { defect_class: deed === "good" ? null : view.state.defectClass, blind: item.blind, supersedes: this.seenOf(item)?.verdict_id, answer: deed === "good" ? "good" : "defect" };
      if (deed === "fix" && view.mask.empty) return this.warn("Draw the defect first, or press Y to confirm without a mask of your own.");
      if (deed === "confirm" && view.marks()) fields.threshold = view.state.threshold;
      this.send(item, view, deed, fields);
      this.advance(item);
    },
    send(item, view, deed, fields) {
      clearTimeout(this.drafting);
      const id = newId();
      const answer = deed === "skip" ? { deed: "skip" } : { deed: "verdict", fields };
      this.answers.add({ id, frame_id: item.frame_id, ...answer, drawn: { threshold: view.state.threshold, defect_class: view.state.defectClass } }, deed === "fix" ? encoded(view.mask) : null);
      this.remember({ id, frame_id: item.frame_id, deed: answer.deed, item });
      this.last = { id, frame_id: item.frame_id, word: WORDS[deed], blind: item.blind && deed !== "skip", machine: null };
    },
    /** The answer that this user saw and corrects. */
    seenOf(item) {
      return item.second?.given_by === this.user && item.second.answer !== "withdrawn" ? item.second : item.verdict;
    },
    advance(item) {
      const next = this.table.following(item.frame_id);
      const word = this.last.word;
      this.table.remove(item.frame_id);
      this.picked = this.picked.filter((one) => one !== item.frame_id);
      this.show(next);
      this.say(`${word}. ${next ? `Next: ${next.line}, ${next.camera}${next.blind ? ", a blind check" : ""}.` : "Nothing else is ready."} ${this.left} left.`);
      if (!next || this.table.dealsOut) this.fill();
      else this.take(next);
    },
    remember(answer) {
      this.given = [...this.given, answer].slice(-TAKEN_BACK_AT_MOST);
      sessionStorage.setItem(this.kept.name, JSON.stringify(this.given));
    },
    forget(id) {
      this.given = this.given.filter((one) => one.id !== id);
      sessionStorage.setItem(this.kept.name, JSON.stringify(this.given));
    },
    async takeBack() {
      const last = this.given.at(-1);
      if (!last || this.readonly) return this.say("There is no answer to take back.");
      this.forget(last.id);
      this.last = null;
      if (last.deed === "verdict" && !(await this.answers.retract(last.id))) this.answers.add({ id: newId(), deed: "undo", frame_id: last.frame_id, of: last.id });
      if (last.item.open && this.asked.state === "open") this.table.add(last.item, { first: true });
      this.show(last.item);
      this.say("Taken back. The picture is here again.");
    },
    async told(answer, result) {
      if (answer.deed === "undo") await this.afterUndo(answer, result);
      else if (this.current?.frame_id !== answer.frame_id) {
        if (!this.waitsToTakeBack(answer.id)) this.table.remove(answer.frame_id); // a list that was asked for before it arrived still has it
        await this.kept.drop("drafts", answer.frame_id);
      }
      if (answer.fields?.blind && this.last?.id === answer.id) {
        const item = await this.table.item(answer.frame_id).catch(() => null);
        if (this.last?.id === answer.id && item?.machine) this.last.machine = item.machine;
      }
      recount();
    },
    waitsToTakeBack(id) {
      return this.outgoing.waiting.some((answer) => answer.of === id);
    },
    async afterUndo(answer, restored) {
      if (this.current?.frame_id !== answer.frame_id || !this.current.verdict) return;
      this.current.verdict = restored.answer === "withdrawn" ? null : restored;
    },
    /** What was drawn is kept as a draft: nobody's work is lost because somebody else was faster. */
    async refused(answer, error) {
      this.forget(answer.id);
      if (answer.png) await this.kept.put("drafts", { key: answer.frame_id, png: answer.png, ...answer.drawn, at: Date.now() });
      const who = error.conflict;
      const name = answer.frame_id.split("/").slice(0, 2).join(" · ");
      const text = who ? `${who.by} ${who.kind === "answered" ? "answered" : "has"} ${name} since ${clock(who.at, this.zone)}: your answer does not count.${answer.png ? " Your mask is kept." : ""}` : `${name}: ${error.message}`;
      this.warn(text, answer.frame_id);
      if (this.last?.id === answer.id) this.last = null;
      this.table.remove(answer.frame_id);
      recount();
    },
    lost(frameId, conflict) {
      if (this.current?.frame_id !== frameId) return;
      this.current.claim = { ...conflict, mine: false };
      this.warn(`${conflict.by} ${conflict.kind === "answered" ? "has answered it" : "has taken it"} meanwhile. Your mask is kept.`);
    },
    async again(frameId) {
      this.notice = null;
      this.table.views.drop(frameId);
      const item = await this.table.item(frameId).catch((error) => this.warn(error.message));
      if (!item) return;
      this.show(item);
      this.take(item);
    },

    // Many at once

    pick(frameIds) {
      const blind = new Set(this.list.filter((item) => item.blind).map((item) => item.frame_id));
      this.picked = frameIds.filter((frameId) => !blind.has(frameId));
      if (this.picked.length < frameIds.length) this.say("Blind checks are answered one by one.");
    },
    pickAll() {
      if (!this.readonly) this.pick(this.list.map((item) => item.frame_id));
    },
    async bulk(action) {
      const frameIds = this.picked.filter((frameId) => this.table.find(frameId));
      const [verb, rest, yes, grave] = BULK[action];
      const many = `${frameIds.length} picture${frameIds.length === 1 ? "" : "s"}`;
      if (!(await this.$refs.ask.that(`${verb} ${many}?`, `${verb} ${many} ${rest}. Each can be corrected later.`, `${yes} (${frameIds.length})`, grave))) return;
      try {
        this.afterBulk(await call("POST", "review/bulk", { frame_ids: frameIds, action }));
      } catch (error) {
        this.warn(error.message);
      }
    },
    async afterBulk(answers) {
      const [done, not] = [answers.filter((one) => one.done), answers.filter((one) => !one.done)];
      for (const { frame_id } of done) this.table.remove(frame_id);
      this.picked = not.map((one) => one.frame_id);
      const reasons = [...new Set(not.map((one) => (one.conflict ? `${one.conflict.kind} by ${one.conflict.by}` : one.detail)))];
      if (not.length) this.warn(`${done.length} done, ${not.length} not: ${reasons.join("; ")}`);
      else this.say(`${done.length} done.`);
      if (done.some((one) => one.frame_id === this.current?.frame_id)) this.show(this.deck.hand[0] ?? null);
      await Promise.all([this.table.refresh(), recount()]);
      this.fill();
    },

    // The mask

    drawn() {
      this.view.state.edited = true;
      this.keepDraft();
    },
    keepDraft() {
      this.draft = "saving";
      clearTimeout(this.drafting);
      const view = this.view;
      this.drafting = setTimeout(() => this.saveDraft(view), DRAFT_MS);
    },
    async saveDraft(view) {
      const png = view.state.edited && view.mask ? await encoded(view.mask) : null;
      await this.kept.put("drafts", { key: view.frameId, png, threshold: view.state.threshold, defect_class: view.state.defectClass, at: Date.now() });
      if (view === this.view) this.draft = "saved";
    },
    setThreshold(threshold, done) {
      this.view.state.threshold = Math.min(0.98, Math.max(0.02, Math.round(threshold * 100) / 100));
      this.$refs.editor.seed(done);
    },
    nudge(by) {
      if (this.view?.grey && !this.still) this.setThreshold(this.view.state.threshold + by, true);
    },
    setClass(index) {
      const found = this.ownClasses[index];
      if (!found || !this.view || this.still) return;
      this.view.state.defectClass = this.view.state.defectClass === found.name ? null : found.name;
      this.say(this.view.state.defectClass ? `Class ${found.label}` : "No class");
      this.keepDraft();
    },
    resize(by) {
      const at = SIZES.findIndex((size) => size >= this.size);
      this.size = SIZES[Math.min(SIZES.length - 1, Math.max(0, at + by))];
    },
    toggleHeat() {
      [this.opacity.value, this.heatBefore] = this.opacity.value ? [0, this.opacity.value] : [this.heatBefore, 0];
    },

    // Keys, words

    key(event) {
      if (event.key === " " && this.onPicture(event.target)) {
        this.$refs.editor.panning = true;
        return event.preventDefault();
      }
      const [deed, argument] = deedOf(event) ?? [];
      if (!deed) return;
      event.preventDefault();
      this.perform(deed, argument);
    },
    keyUp(event) {
      if ((event.key === " " || event.type === "blur") && this.$refs.editor) this.$refs.editor.panning = false;
    },
    onPicture: (target) => target === document.body || target.classList?.contains("lp-canvas"),
    perform(deed, argument) {
      const editor = this.$refs.editor;
      const deeds = {
        next: () => this.step(1), previous: () => this.step(-1), takeBack: () => this.takeBack(), setClass: () => this.setClass(argument),
        pan: () => (this.tool = "pan"), smaller: () => this.resize(-1), larger: () => this.resize(1), lower: () => this.nudge(-0.02), higher: () => this.nudge(0.02),
        undo: () => editor.undo(), redo: () => editor.redo(), clear: () => editor.clear(), zoomIn: () => editor.zoom(1), zoomOut: () => editor.zoom(-1), whole: () => editor.whole(),
        toggleHeat: () => this.toggleHeat(), toggleMask: () => (this.mask = !this.mask), mask: () => (this.mask = !this.mask), toggleCompare: () => (this.compare = !this.compare), compare: () => (this.compare = !this.compare),
        pickAll: () => this.pickAll(), dismiss: () => Object.assign(this, { picked: [], notice: null }), help: () => this.$refs.keys.open(),
      };
      if (deed in WORDS) this.answer(deed);
      else if (["brush", "eraser", "polygon"].includes(deed)) this.tool = deed;
      else deeds[deed]?.();
    },
    say(text) {
      this.said = text;
    },
    warn(text, frameId = null) {
      this.notice = { text, frameId };
      return null;
    },
    /** So that a browser's tools measure from key to picture. */
    painted(frameId) {
      performance.clearMarks("loupe-painted");
      performance.mark("loupe-painted", { detail: frameId });
    },
  },
  template: `
    <div class="lp-page lp-review" :data-waiting="outgoing?.waiting.length ?? 0" :data-draft="draft" :data-frame="current?.frame_id ?? ''" :data-ready="ready">
      <h1 class="lp-hidden">Review</h1>
      <p class="lp-hidden" role="status" aria-live="polite">{{ said }}</p>
      <p v-if="waiting" class="lp-card lp-alert lp-away" role="alert" data-away><Icon name="nosignal" /><span>{{ outgoing.stuck || "The dashboard does not answer" }}. <strong>{{ waiting }} {{ waiting === 1 ? "answer waits" : "answers wait" }}</strong> in this browser and {{ waiting === 1 ? "is" : "are" }} sent as soon as it does.</span></p>
      <p v-if="notice" class="lp-card lp-alert" role="alert" data-notice><Icon name="eye" /><span>{{ notice.text }}</span><span class="lp-space"></span><button v-if="notice.frameId" class="lp-plain" type="button" @click="again(notice.frameId)">Open it</button><button class="lp-plain" type="button" @click="notice = null">Close</button></p>
      <div class="lp-desk">
        <ReviewQueue :items="list" :current="current?.frame_id" :picked="picked" :asked="asked" :lines="lines" :cameras="cameras" :classes="askedClasses" :left="left" :readonly="readonly" :now="now" @open="open" @pick="readonly || pick($event)" @ask="ask" @bulk="bulk" />
        <section class="lp-card lp-easel" aria-label="Picture">
          <Toolbar :tool="tool" :size="size" :threshold="view?.state.threshold ?? 0.5" :has-map="Boolean(current?.machine?.has_map)" :has-good="Boolean(view?.state.good)" :mask="mask" :compare="compare" :readonly="readonly" :can="can" @tool="tool = $event" @size="size = $event" @threshold="setThreshold($event, false)" @seeded="setThreshold(view.state.threshold, true)" @deed="perform" />
          <div class="lp-view">
            <Editor ref="editor" :view="view" :heat="opacity.value" :mask="mask" :tool="tool" :size="size" :readonly="still" :compare="compare" @drawn="drawn" @history="can = $event" @painted="painted" />
            <div v-if="!current" class="lp-veil lp-soft"><Icon name="check" /><strong>{{ deck?.problem || (deck?.known ? "Nothing waits here" : "Loading") }}</strong><span v-if="deck?.known && !deck?.problem">New pictures come by themselves.</span></div>
            <div v-else-if="view?.state.ready && view.problem" class="lp-veil"><Icon name="broken" /><strong>{{ view.problem }}</strong></div>
            <span v-if="compare" class="lp-ribbon">A good part</span><span v-else-if="current?.blind" class="lp-ribbon">Blind check</span>
          </div>
        </section>
        <ReviewPanel :item="current" :state="view?.state" :classes="ownClasses" :zone="zone" :locked="locked" :unseen="unseen" :readonly="readonly" :can-undo="given.length > 0" :last="last" @deed="perform" @class="setClass" @open="open" />
      </div>
      <KeySheet ref="keys" />
      <Ask ref="ask" />
    </div>`,
};
