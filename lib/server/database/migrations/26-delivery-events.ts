import type { Change } from "./change.ts";
import { tellOn } from "./tell-on.ts";

export const deliveryEvents: readonly Change[] = tellOn({
  name: "tell_of_delivery",
  on: "UPDATE OF status ON deliveries",
  when: `NEW.status IN ('missing', 'late', 'partial', 'received') AND OLD.status <> NEW.status`,
  type: "'delivery.' || NEW.status",
  subject: "'delivery/' || NEW.schedule_id || '/' || NEW.local_time || '/' || NEW.client_id",
});
