import type { SqlDatabase } from "./database.ts";
import { sql } from "./statement.ts";

/** The random id of a database, which is made the first time. A backup that is restored keeps it. */
export async function identityOf(database: SqlDatabase): Promise<string> {
  await database.run(sql`
    INSERT INTO database_identity (only_row, id) VALUES (1, ${Bun.randomUUIDv7()})
    ON CONFLICT (only_row) DO NOTHING`);
  const [row] = await database.run<{ id: string }>(sql`SELECT id FROM database_identity`);
  if (!row) throw new Error("the database has no identity");
  return row.id;
}
