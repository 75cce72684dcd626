import type { SchedulePreview } from "../../api/schedules.ts";
import { timeWords } from "./delivery-words.ts";

/** Returns a list item with the next times of a schedule in one time zone, as local times and in UTC. */
export function zoneLine({ time_zone, times }: SchedulePreview["zones"][number]): HTMLElement {
  const line = document.createElement("li");
  const zone = document.createElement("strong");
  zone.textContent = time_zone;
  const words = times.map(({ scheduled_local, scheduled_at }) => {
    const utc = scheduled_at.slice(11, 16);
    return `${timeWords(scheduled_local)} (${utc} UTC)`;
  });
  line.append(zone, ` ${words.join(" · ")}`);
  return line;
}
