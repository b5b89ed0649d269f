import { type Decision, FABRIC_TENANT, type Principal, wouldNeed } from '../../policy/index.ts';
import type { DecisionAnswer } from '../core-api.ts';
import type { Refusal, Services } from './context.ts';

/** What `cci can` tells: all of it where the reasons may be shown, else exactly what the refusal would say. */
export function decisionAnswer(
  services: Services,
  request: { readonly id: string },
  principal: Principal,
  decision: Decision,
  refused: Refusal | undefined,
): DecisionAnswer {
  const snapshot = decision.basis.snapshot;
  const insight = principal.scopes.includes('cci:policy') && principal.tenant === FABRIC_TENANT;
  const verdict = refused === undefined ? 'allow' : 'deny';
  const outward = refused === undefined ? {} : { outward: { code: refused.code, detail: refused.detail } };
  if (refused !== undefined && !decision.disclosed && !insight) {
    return { requestId: request.id, verdict, ...outward, snapshot };
  }
  const { facts, grants, narrowing, reasons } = decision;
  return {
    requestId: request.id,
    verdict,
    class: facts.class,
    scope: facts.scope,
    reach: facts.reach,
    touched: facts.touched,
    command: facts.command,
    ...(narrowing === undefined ? {} : { narrowed: { asked: narrowing.asked, kept: narrowing.kept } }),
    grants: grants.map((grant) => ({
      resource: grant.resource,
      allowed: grant.allowed,
      ...(grant.rule === undefined ? {} : { rule: grant.rule.text, source: grant.rule.source }),
    })),
    reasons: [
      ...reasons.map(({ step, rule, errno, text, source }) => ({
        step,
        rule,
        errno,
        text,
        ...(source === undefined ? {} : { source }),
      })),
      ...(reasons.length === 0 && refused !== undefined
        ? [{ step: 'offered', rule: 'filter', errno: refused.code, text: refused.detail }]
        : []),
    ],
    wouldNeed: whatWouldBeNeeded(services, principal, decision),
    ...outward,
    snapshot,
  };
}

/** Refused resources whose way out is worked out: each asks every role of the tenant, and a list may name 255. */
const EXPLAINED_MAX = 8;

function whatWouldBeNeeded(services: Services, principal: Principal, decision: Decision): readonly string[] {
  const refused = decision.grants.filter(({ allowed }) => !allowed);
  const grants = refused.slice(0, EXPLAINED_MAX);
  const lines = wouldNeed({ ...decision, grants }, services.policy.engine, principal);
  const more = refused.length - grants.length;
  return more > 0 && lines.length > 0 ? [...lines, `the same for ${more} more resources`] : lines;
}
