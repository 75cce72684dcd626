import { UsageError } from "../../util/flags.ts";
import { systemCode } from "../../util/system-error.ts";
import { plainText } from "../../util/plain-text.ts";
import { UnreachableError } from "../rest/api-errors.ts";
import type { Input } from "../terminal/input.ts";
import { Failure } from "../program.ts";
import { paint, type Terminal } from "../terminal/terminal.ts";
import { cleanUp } from "./clean-up.ts";
import { complain, type GuideContext, type Target, tell } from "./guide.ts";
import { pullFrom, pullFromAll } from "./pull.ts";
import { showSchedules } from "./schedules.ts";
import { checkHealth, listClients } from "./server.ts";
import { checkStatus } from "./status.ts";
import { verifyFiles } from "./verify.ts";
import { viewClientLogs, viewServerLogs } from "./view-logs.ts";

interface Choice {
  title: string;
  /** Runs the choice. null means that the choice leaves the guide. */
  run: ((context: GuideContext) => Promise<void>) | null;
}

const CHOICES: Choice[] = [
  { title: "Check system health", run: checkHealth },
  { title: "List connected clients", run: listClients },
  { title: "Download from restaurant-001", run: pullFrom("restaurant-001") },
  { title: "Download from restaurant-002", run: pullFrom("restaurant-002") },
  { title: "Download from restaurant-003", run: pullFrom("restaurant-003") },
  { title: "Download from all clients (at once)", run: pullFromAll },
  { title: "Check download status", run: checkStatus },
  { title: "Verify downloaded files (checksums)", run: verifyFiles },
  { title: "View server logs", run: viewServerLogs },
  { title: "View client logs", run: viewClientLogs },
  { title: "Clean up downloads (asks first)", run: cleanUp },
  { title: "Exit", run: null },
];

/** The key that shows the menu again. */
const MENU_KEY = "m";

/**
 * The choice for schedules has a letter as its key, so that the numbers of the other choices, which scripts
 * use, stay the same.
 */
const SCHEDULES: Choice = { title: "Schedules, and who did not deliver", run: showSchedules };
const SCHEDULES_KEY = "s";

const WHAT_TO_TYPE = `Type a number from 1 to ${CHOICES.length}, ${SCHEDULES_KEY} for the schedules, or ${MENU_KEY} for the menu`;

export interface GuideOptions {
  /** Finds the server. Called before each choice, as a server may have been started or ended meanwhile. */
  findTarget: () => Promise<Target>;
  /** The folder that contains the folders of all demos. */
  demos: string;
  input: Input;
  out: Terminal;
  signal: AbortSignal;
}

/**
 * Shows the menu and runs choices, until the user leaves or the input ends.
 * @throws the reason of `signal` when `signal` is aborted
 */
export async function runMenu({ findTarget, ...rest }: GuideOptions): Promise<void> {
  let target = await findTarget();
  const showMenu = () => tell(rest, "", ...menuLines(target, rest.out), "");
  showMenu();
  for (;;) {
    const choice = await askForChoice(rest, showMenu);
    if (!choice?.run) return;
    tell(rest, "", paint(choice.title, "bold", rest.out.colour), "");
    target = await findTarget();
    await attempt(choice.run, { ...rest, target });
    // Only the key that shows the menu again is printed. The whole menu would push the result off a small
    // screen.
    tell(rest, "", paint(`${MENU_KEY} shows the menu again`, "dim", rest.out.colour));
  }
}

function menuLines({ server, demo }: Target, { colour }: Terminal): string[] {
  const line = (key: string, title: string) =>
    `${paint(key.padStart(4), "cyan", colour)}  ${title}`;
  return [
    paint("File Download System", "bold", colour),
    paint(plainText(demo === null ? server : `${server} (demo)`), "dim", colour),
    "",
    ...CHOICES.map(({ title }, index) => line(String(index + 1), title)).toSpliced(
      -1,
      0,
      line(SCHEDULES_KEY, SCHEDULES.title),
    ),
  ];
}

/** Asks until the answer is a choice of the menu. @returns null at the end of the input */
async function askForChoice(
  context: Omit<GuideOptions, "findTarget">,
  showMenu: () => void,
): Promise<Choice | null> {
  const { input, signal } = context;
  for (;;) {
    const answer = await input.ask(`Your choice (1-${CHOICES.length}): `, signal);
    if (answer === null) return null;
    const choice = /^\d{1,2}$/.test(answer) ? CHOICES[Number(answer) - 1] : undefined;
    if (choice) return choice;
    if (answer.toLowerCase() === SCHEDULES_KEY) return SCHEDULES;
    if (answer.toLowerCase() === MENU_KEY) showMenu();
    else complain(context, `${WHAT_TO_TYPE}: "${answer}" is no choice`);
  }
}

/** Runs a choice of the menu. An expected error is shown, and the menu continues. */
async function attempt(run: NonNullable<Choice["run"]>, context: GuideContext): Promise<void> {
  try {
    await run(context);
  } catch (error) {
    context.signal.throwIfAborted();
    const isExpected =
      error instanceof Failure || error instanceof UsageError || systemCode(error) !== null;
    if (!isExpected || !(error instanceof Error)) throw error;
    complain(context, error.message);
    if (error instanceof UnreachableError) tell(context, "", ...HOW_TO_START);
  }
}

const HOW_TO_START = [
  "Start one of these in another terminal, then choose again:",
  "  bun run server        a server alone",
  "  docker-compose up     a server and three clients",
  "  bun run demo --keep   the same, with nothing to set up",
];
