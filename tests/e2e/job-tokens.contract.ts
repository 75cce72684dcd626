import { describe, expect, test } from "bun:test";
import { fleet, system } from "../support/fleet-stage.ts";
import { idsOf } from "../support/fleet.ts";
import { Listener } from "../support/events.ts";

const label = (clientId: string, labels: object) =>
  fleet.call("PATCH", `clients/${clientId}`, { labels });

/**
 * Tests which jobs a token that is limited to certain sites may make, see and change. Call useFleet() first.
 */
export function limitedToken(): void {
  describe("a token of some sites", () => {
    const make = async (name: string, fields: object) => {
      const { body } = await fleet.call("POST", "tokens", { name, role: "operator", ...fields });
      return String(body["token"]);
    };

    test("makes jobs of these alone", async () => {
      await fleet.join(idsOf(4));
      const token = await make("two", { sites: ["site-1", "site-2"] });
      const order = (clients: object) => ({ clients, download: {} });
      const job = await fleet.call("POST", "jobs", order({ all: true }), { token });
      expect(job).toMatchObject({ status: 202, body: { total: 2 } });
      expect(await fleet.call("POST", "jobs", order({ ids: ["site-3"] }), { token })).toMatchObject(
        {
          status: 404,
          body: { code: "client_not_found" },
        },
      );
      expect(await fleet.call("POST", "jobs", order({ ids: ["*-3"] }), { token })).toMatchObject({
        status: 400,
      });
    });

    test("sees of a job its part, and of others nothing", async () => {
      await fleet.join(idsOf(4), "hold");
      fleet.site("site-1").go("deliver");
      await label("site-2", { region: "west" });
      const token = await make("west", { sites: ["site-1"], labels: "region=west" });
      const whole = await fleet.makeJob({ clients: { ids: idsOf(4) } });
      const other = await fleet.makeJob({ clients: { ids: ["site-3"] } });
      await fleet.jobThatIs(whole, ({ counts }) => counts.completed === 1, "one file");
      const seen = await fleet.job(whole, token);
      expect(seen.total).toBe(2);
      expect(Object.values(seen.counts).reduce((sum, count) => sum + count)).toBe(2);
      expect(JSON.stringify(seen)).not.toMatch(/site-[34]/);
      expect(await fleet.call("GET", `jobs/${other}`, undefined, { token })).toMatchObject({
        status: 404,
        body: { code: "job_not_found" },
      });
      const { body } = await fleet.call("GET", "jobs", undefined, { token });
      expect((body["jobs"] as { job_id: string }[]).map(({ job_id }) => job_id)).toEqual([whole]);
      const list = await fleet.call("GET", `downloads?job_id=${whole}`, undefined, { token });
      expect(JSON.stringify(list)).not.toMatch(/site-[34]/);
      for (const call of ["cancel", "pause", "resume", "rerun"]) {
        const answer = await fleet.call("POST", `jobs/${whole}/${call}`, undefined, { token });
        expect(answer).toMatchObject({ status: 403 });
      }
      const headers = { Authorization: `Bearer ${token}` };
      const events = new Listener(await fetch(`${system.url}/api/events`, { headers }));
      const told = await events.until(({ event }) => event === "job");
      expect(told.data).toMatchObject({ job_id: whole, total: 2 });
      expect(JSON.stringify(events.heard)).not.toMatch(/site-[34]/);
      await events.close();
    });

    test("that is revoked pauses its continuous jobs", async () => {
      await fleet.join(idsOf(2));
      const token = await make("short", { sites: ["site-1", "site-9"] });
      const order = { clients: { all: true }, download: {}, membership: "continuous" };
      const made = await fleet.call("POST", "jobs", { ...order, expires_in: "1h" }, { token });
      const jobId = String(made.body["job_id"]);
      await fleet.jobThatIs(jobId, ({ counts }) => counts.completed === 1, "one file");
      expect((await fleet.job(jobId)).total).toBe(1);
      await fleet.call("DELETE", "tokens/short");
      expect((await fleet.job(jobId)).status).toBe("paused");
      await fleet.join(["site-9"]);
      expect((await fleet.job(jobId)).total).toBe(1);
    });
  });
}
