// The page of accounts: users with their roles and logins, tokens of machines. What is shown once stays until it is put away.
import { Ask } from "loupe/ask.js";
import { Icon } from "loupe/icon.js";
import { call } from "loupe/rest.js";
import { browser, day } from "loupe/words.js";

const ROLES = { operator: "watches", supervisor: "verdicts, thresholds, promotes", admin: "users and settings too" };

export default {
  components: { Ask, Icon },
  data: () => ({ users: null, tokens: [], me: null, opened: null, sessions: [], shown: null, problem: "", user: blank(), token: blank(), copied: false }),
  computed: { roles: () => Object.entries(ROLES) },
  mounted() {
    this.attempt(async () => {
      this.me = await call("GET", "session");
      await this.read();
    });
  },
  methods: {
    browser,
    day,
    state: (user) => (user.disabled ? { word: "Disabled", icon: "cross", tone: "bad" } : user.must_change ? { word: "Has yet to choose a password", icon: "clock", tone: "warn" } : { word: "Active", icon: "check", tone: "ok" }),
    async read() {
      [this.users, this.tokens] = await Promise.all([call("GET", "users"), call("GET", "tokens")]);
      if (this.opened) this.sessions = await call("GET", `users/${this.opened}/sessions`);
    },
    async attempt(act) {
      this.problem = "";
      try {
        return await act();
      } catch (error) {
        this.problem = error.message;
      }
    },
    async change(act) {
      await this.attempt(act);
      await this.attemptQuietly(() => this.read());
    },
    async attemptQuietly(act) {
      try {
        await act();
      } catch {
        /* what the change said counts */
      }
    },
    show(what, name, secret) {
      this.copied = false;
      this.shown = { what, name, secret };
      this.$nextTick(() => this.$refs.once.scrollIntoView({ block: "nearest" })); // whoever made a token is far below
    },
    addUser() {
      this.change(async () => {
        const made = await call("POST", "users", this.user);
        this.show("Password for the first login of", made.name, made.password);
        this.user = blank();
      });
    },
    addToken() {
      this.change(async () => {
        const made = await call("POST", "tokens", this.token);
        this.show("Token of", made.name, made.token);
        this.token = blank();
      });
    },
    async setRole(user, event) {
      const role = event.target.value;
      if (await this.$refs.ask.that(`Make ${user.name} ${role}?`, "Their logins end; the new role holds from the next one.", "Change role")) await this.change(() => call("PATCH", `users/${user.name}`, { role }));
      event.target.value = this.users.find((one) => one.name === user.name)?.role ?? user.role;
    },
    async setDisabled(user) {
      const disabled = !user.disabled;
      if (disabled && !(await this.$refs.ask.that(`Disable ${user.name}?`, "They are logged out everywhere and cannot log in. What they did stays in the audit.", "Disable", true))) return;
      await this.change(() => call("PATCH", `users/${user.name}`, { disabled }));
    },
    async reset(user) {
      if (!(await this.$refs.ask.that(`Reset the password of ${user.name}?`, "They are logged out everywhere. You get a password for their next login, where they choose another.", "Reset"))) return;
      await this.change(async () => {
        const made = await call("POST", `users/${user.name}/password`);
        this.show("Password for the next login of", made.name, made.password);
      });
    },
    async open(user) {
      this.opened = this.opened === user.name ? null : user.name;
      this.sessions = [];
      if (this.opened) this.sessions = (await this.attempt(() => call("GET", `users/${user.name}/sessions`))) ?? [];
    },
    end: (session) => call("DELETE", `sessions/${session.id}`),
    endAll: (name) => call("DELETE", `users/${name}/sessions`),
    async revoke(token) {
      if (await this.$refs.ask.that(`Revoke ${token.name}?`, "Whatever uses this token is refused from now on.", "Revoke", true)) await this.change(() => call("DELETE", `tokens/${token.name}`));
    },
    async copy() {
      this.copied = await navigator.clipboard.writeText(this.shown.secret).then(() => true, () => false);
    },
  },
  template: `
    <div class="lp-page lp-people">
      <div class="lp-bar"><h1>Users</h1></div>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <section v-if="shown" ref="once" class="lp-card lp-once" role="status">
        <p>{{ shown.what }} <strong>{{ shown.name }}</strong>, shown only now:</p>
        <p><code>{{ shown.secret }}</code><button class="lp-plain" type="button" @click="copy">{{ copied ? "Copied" : "Copy" }}</button><span class="lp-space"></span><button class="lp-plain" type="button" @click="shown = null">Done</button></p>
      </section>
      <section class="lp-card lp-listed" aria-label="Users">
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">State</th><th scope="col">Last seen</th><th scope="col">Logins</th><th scope="col"><span class="lp-hidden">Actions</span></th></tr></thead>
          <tbody v-for="user in users ?? []" :key="user.name" :data-user="user.name">
            <tr>
              <th scope="row">{{ user.name }}<span v-if="me?.name === user.name" class="lp-quiet"> (you)</span></th>
              <td><select :value="user.role" :aria-label="'Role of ' + user.name" @change="setRole(user, $event)"><option v-for="[role] in roles" :value="role">{{ role }}</option></select></td>
              <td><span class="lp-chip" :class="'lp-' + state(user).tone"><Icon :name="state(user).icon" />{{ state(user).word }}</span></td>
              <td class="lp-when">{{ user.seen_at ? day(user.seen_at) : "–" }}</td>
              <td><button class="lp-plain" type="button" :aria-expanded="opened === user.name" :aria-label="'Logins of ' + user.name + ': ' + user.sessions" @click="open(user)">{{ user.sessions }}</button></td>
              <td class="lp-acts"><button class="lp-plain" type="button" @click="reset(user)">Reset password</button><button class="lp-plain" :class="{ 'lp-bad': !user.disabled }" type="button" @click="setDisabled(user)">{{ user.disabled ? "Enable" : "Disable" }}</button></td>
            </tr>
            <tr v-if="opened === user.name"><td colspan="6" class="lp-inner">
              <p v-if="!sessions.length" class="lp-quiet">Not logged in anywhere.</p>
              <ul v-else>
                <li v-for="session in sessions" :key="session.id"><span><strong>{{ browser(session.browser) }}</strong> from {{ session.address || "an unknown address" }}<span v-if="session.here"> (this browser)</span></span><span class="lp-quiet">since {{ day(session.created_at) }}, last seen {{ day(session.seen_at) }}</span><button class="lp-plain" type="button" @click="change(() => end(session))">Log out</button></li>
                <li v-if="sessions.length > 1"><span class="lp-space"></span><button class="lp-plain" type="button" @click="change(() => endAll(user.name))">Log out everywhere</button></li>
              </ul>
            </td></tr>
          </tbody>
        </table></div>
        <form class="lp-adder" @submit.prevent="addUser">
          <label>Name<input v-model.trim="user.name" required maxlength="40" pattern="[a-z0-9][a-z0-9\\-]*" title="a-z, 0-9 and -" autocomplete="off" autocapitalize="none" spellcheck="false" /></label>
          <label>Role<select v-model="user.role"><option v-for="[role, may] in roles" :value="role">{{ role }}: {{ may }}</option></select></label>
          <button class="lp-primary" type="submit"><Icon name="plus" />Add user</button>
        </form>
      </section>
      <div class="lp-bar"><div><h2>Tokens</h2><p class="lp-quiet">Machines send one as <code>Authorization: Bearer</code>. What <code>loupe up</code> made is for the command line on its machine.</p></div></div>
      <section class="lp-card lp-listed" aria-label="Tokens">
        <div v-if="tokens.length" class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Made by</th><th scope="col">Made</th><th scope="col">Last used</th><th scope="col"><span class="lp-hidden">Actions</span></th></tr></thead>
          <tbody><tr v-for="token in tokens" :key="token.name" :data-token="token.name">
            <th scope="row">{{ token.name }}</th><td>{{ token.role }}</td><td>{{ token.created_by }}</td><td class="lp-when">{{ day(token.created_at) }}</td><td class="lp-when">{{ token.used_at ? day(token.used_at) : "never" }}</td>
            <td class="lp-acts"><button class="lp-plain lp-bad" type="button" @click="revoke(token)">Revoke</button></td>
          </tr></tbody>
        </table></div>
        <form class="lp-adder" @submit.prevent="addToken">
          <label>Name<input v-model.trim="token.name" required maxlength="40" pattern="[a-z0-9][a-z0-9\\-]*" title="a-z, 0-9 and -" autocomplete="off" autocapitalize="none" spellcheck="false" /></label>
          <label>Role<select v-model="token.role"><option v-for="[role, may] in roles" :value="role">{{ role }}: {{ may }}</option></select></label>
          <button class="lp-primary" type="submit"><Icon name="plus" />Make token</button>
        </form>
      </section>
      <Ask ref="ask" />
    </div>`,
};

function blank() {
  return { name: "", role: "operator" };
}
