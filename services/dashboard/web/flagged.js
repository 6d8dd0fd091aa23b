// The latest flagged parts as a strip of thumbnails; a click opens the part on its line's page.
import { Icon } from "loupe/icon.js";
import { base } from "loupe/live.js";
import { clock, decisionOf, score } from "loupe/words.js";

export const Flagged = {
  components: { Icon },
  props: { parts: Array, lines: Array, zone: String, signal: Boolean },
  computed: { names: ({ lines }) => Object.fromEntries(lines.map((line) => [line.id, line.name])) },
  methods: {
    clock,
    decisionOf,
    score,
    href: (part) => `${base}/line/${part.line}?part=${encodeURIComponent(part.frame_id)}`,
    thumbnail: (part) => `${base}/api/v1/frames/${part.frame_id}/image?width=240`,
    hide: (event) => (event.target.style.visibility = "hidden"), // kept neither by the archive nor by Kafka any more
  },
  template: `
    <section class="lp-card lp-flagged" aria-labelledby="lp-flagged">
      <h2 id="lp-flagged">Latest flagged</h2>
      <p v-if="!parts.length" class="lp-quiet">{{ signal ? "Nothing flagged yet." : "No signal" }}</p>
      <ul v-else>
        <li v-for="part in parts" :key="part.frame_id">
          <a :href="href(part)" :data-frame="part.frame_id" :aria-label="names[part.line] + ', ' + decisionOf(part).word + ', score ' + score(part.score)">
            <img :src="thumbnail(part)" alt="" loading="lazy" @error="hide" />
            <span class="lp-chip" :class="'lp-' + decisionOf(part).tone"><Icon :name="decisionOf(part).icon" />{{ decisionOf(part).word }}</span>
            <strong>{{ names[part.line] ?? part.line }}</strong>
            <small>{{ clock(part.captured_at, zone) }} · {{ score(part.score) }}</small>
          </a>
        </li>
      </ul>
    </section>`,
};
