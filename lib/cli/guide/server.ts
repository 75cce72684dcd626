import { CLIENT_COLUMNS, clientProblemOf, NO_CLIENTS } from "../terminal/client-listing.ts";
import { healthFields } from "../terminal/health-fields.ts";
import { listingTable } from "../terminal/listing.ts";
import { cutToScreen } from "./fitting.ts";
import { type GuideContext, tell } from "./guide.ts";

/** Choice 1 of the menu: shows whether the server works. */
export async function checkHealth(context: GuideContext): Promise<void> {
  const { target, out, signal } = context;
  tell(context, ...healthFields(await target.api.health(signal), out.colour));
}

/** Choice 2 of the menu: lists the clients that the server knows. */
export async function listClients(context: GuideContext): Promise<void> {
  const { target, out, signal } = context;
  const clients = await target.api.clients(signal);
  if (clients.length === 0) return tell(context, NO_CLIENTS);
  const inOrder = clients.toSorted((a, b) => Number(b.connected) - Number(a.connected));
  const table = listingTable(CLIENT_COLUMNS, inOrder, out.columns(), out.colour, clientProblemOf);
  tell(context, ...cutToScreen(table, out, "start", "bun run fds clients"));
}
