// A question before something is done: a sentence, what follows from it, and two buttons. Answers with true or false, or with the reason that was asked for.
import { nextTick } from "vue";

export const Ask = {
  data: () => ({ title: "", text: "", yes: "", grave: false, asksWhy: false, reason: "" }),
  methods: {
    that(title, text, yes, grave = false) {
      Object.assign(this, { title, text, yes, grave, asksWhy: false });
      return this.answered();
    },
    /** The reason in words; null where they cancelled. */
    async why(title, text, yes) {
      Object.assign(this, { title, text, yes, grave: false, asksWhy: true, reason: "" });
      await nextTick();
      return (await this.answered()) ? this.reason : null;
    },
    answered() {
      this.$refs.dialog.returnValue = "";
      this.$refs.dialog.showModal();
      return new Promise((answer) => (this.$refs.dialog.onclose = () => answer(this.$refs.dialog.returnValue === "yes")));
    },
  },
  template: `
    <dialog ref="dialog" class="lp-card lp-ask" aria-labelledby="lp-ask">
      <form method="dialog">
        <h2 id="lp-ask">{{ title }}</h2>
        <p class="lp-quiet">{{ text }}</p>
        <label v-if="asksWhy">Reason, for the history<input v-model.trim="reason" autofocus required minlength="3" maxlength="500" autocomplete="off" /></label>
        <footer><button class="lp-plain" type="button" @click="$refs.dialog.close('')">Cancel</button><button class="lp-primary" :class="{ 'lp-grave': grave }" value="yes">{{ yes }}</button></footer>
      </form>
    </dialog>`,
};
