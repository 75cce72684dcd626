import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guide, system, useGuide } from "../support/guide.ts";
import { type RunOptions } from "../support/operator.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useGuide();

/* How the guide shows the logs of containers. */

/** A script that answers like docker-compose with a server and two restaurants. */
const COMPOSE = `#!/bin/sh
test "$1" = compose && shift
case "$*" in
  "ps --services --filter status=running")
    printf 'client-restaurant-002\\nserver\\nclient-restaurant-001\\n' ;;
  "logs --no-color --no-log-prefix --tail=50 "*)
    for last; do :; done
    seq -f "$last line %.0f" 60 ;;
  *) exit 1 ;;
esac
`;

const onPosix = test.skipIf(process.platform === "win32");

describe("logs of docker-compose (needs POSIX)", () => {
  /** Installs the script under this name. @returns an environment whose PATH finds it first */
  async function withProgram(name: string): Promise<RunOptions> {
    const folder = join(system.folder, `bin-${name}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), COMPOSE);
    await chmod(join(folder, name), 0o755);
    return { env: { PATH: `${folder}:/usr/bin:/bin` } };
  }

  onPosix.each(["docker", "docker-compose"])("9 and 10 by %s", async (name) => {
    const text = await guide(
      ["9", "10", "restaurant-002", "10", "1", "12"],
      await withProgram(name),
    );
    expect(text).toContain("server line 60\n");
    expect(text).toContain("client-restaurant-002 line 60\n");
    expect(text).toContain("client-restaurant-001 line 60\n");
    expect(text).toContain("server line 11\n");
    expect(text).not.toContain("server line 10\n");
  });

  onPosix("10 knows only the clients that run", async () => {
    const text = await guide(["10", "restaurant-009", "10", "", "12"], await withProgram("docker"));
    expect(text).toContain('There is no log of "restaurant-009"');
    expect(text).not.toContain("line 60");
  });
});
