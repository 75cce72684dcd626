import { plainText } from "../../util/plain-text.ts";
import { paint } from "../terminal/terminal.ts";
import { cutToScreen } from "./fitting.ts";
import { complain, type GuideContext, pick, tell } from "./guide.ts";
import { findLogs, LAST_LINES, type Logs } from "./logs.ts";

const SERVER = "server";

/** Choice 9 of the menu: shows the last lines of the server's log. */
export async function viewServerLogs(context: GuideContext): Promise<void> {
  const logs = await findLogs(context.target.demo, context.demos);
  if (!logs?.names.includes(SERVER)) return tellNoLogs(context);
  await show(context, logs, SERVER);
}

/** Choice 10 of the menu: shows the last lines of a client's log. */
export async function viewClientLogs(context: GuideContext): Promise<void> {
  const logs = await findLogs(context.target.demo, context.demos);
  const clients = logs?.names.filter((name) => name !== SERVER) ?? [];
  if (!logs || clients.length === 0) return tellNoLogs(context);
  tell(context, ...clients.map((name, index) => `  ${index + 1}  ${plainText(name)}`));
  const question = `Which client? 1-${clients.length}, a name, or Enter for none: `;
  const picked = await pick(context, question, clients);
  if (picked === null) return;
  const name = clients.find((client) => client === picked || client === `client-${picked}`);
  if (name === undefined) return complain(context, `There is no log of "${picked}"`);
  await show(context, logs, name);
}

async function show(context: GuideContext, logs: Logs, name: string): Promise<void> {
  const { out } = context;
  const lines = (await logs.read(name)).map(plainText);
  const title = `The last ${LAST_LINES} lines of ${name}, from ${logs.source}`;
  const shown = cutToScreen(lines, out, "end", "make the terminal larger, or look there");
  tell(context, paint(plainText(title), "dim", out.colour), ...shown);
}

function tellNoLogs(context: GuideContext): void {
  tell(
    context,
    "There are no logs here: neither docker-compose nor a demo runs in this folder.",
    "A server or client that was started by hand writes its log to its own terminal.",
  );
}
