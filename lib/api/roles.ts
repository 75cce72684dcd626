import * as z from "zod";

/** What a token may do; each role may also what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;

export const Role = z.enum(ROLES).meta({
  id: "Role",
  description: "viewer: sees; operator: also pulls; admin: also manages who gets in",
});
export type Role = z.infer<typeof Role>;

/** Whether somebody with a role may do what needs another one. */
export function mayActAs(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
