// What is known of a part and of what judged it, as a list of terms.
import { latency, percent, rate, score, short } from "loupe/words.js";

const ROWS = {
  Line: ({ line }) => line && [
    ["Frames per second", rate(line.frames_per_s)],
    ["Latency p95", latency(line.latency_p95_ms)],
    ["Defect rate", line.defect_rate === null ? "–" : `${percent(line.defect_rate)} NG`],
    ["Model", short(line.model_version), line.model_version],
    ["Calibration", line.calibration ? short(line.calibration.calibration_id) : "–", line.calibration?.calibration_id],
    ["Thresholds", line.calibration ? `${score(line.calibration.review)} · ${score(line.calibration.fail)}` : "–"],
  ],
  Part: ({ part }) => part && [
    ["Frame", part.frame_id.split("/").slice(1).join(" / "), part.frame_id],
    ...(part.part_id ? [["Part", part.part_id]] : []),
    ["Latency", latency(part.latency_ms)],
    ["Picture", part.width ? `${part.width} × ${part.height}` : "–"],
    ["Anomaly map", part.map_kind ?? "–"],
    ["Regions", String(part.regions.length)],
    ...(part.error ? [["Error", part.error]] : []),
  ],
};

export const Facts = {
  props: { part: Object, line: Object, zone: String },
  computed: { groups: (view) => Object.entries(ROWS).map(([name, rows]) => ({ name, rows: rows(view) })).filter((group) => group.rows) },
  template: `
    <section v-for="group in groups" :key="group.name" class="lp-card lp-box"><h2>{{ group.name }}</h2>
      <dl class="lp-facts"><template v-for="[name, value, whole] in group.rows" :key="name"><dt>{{ name }}</dt><dd :title="whole">{{ value }}</dd></template></dl>
    </section>`,
};
