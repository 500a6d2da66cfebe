// Who is asking, and what the server can do for them.

import { useQuery } from "@tanstack/react-query";
import { api, type Role } from "./api";

export const useMe = () => useQuery({ queryKey: ["me"], queryFn: api.me, staleTime: 60_000 });

const RANK: Record<Role, number> = { reader: 0, maintainer: 1, admin: 2 };

export const atLeast = (role: Role | undefined, least: Role) => role !== undefined && RANK[role] >= RANK[least];
