import { performance } from 'node:perf_hooks';
import { Deadlines } from './deadlines.ts';
import { FairShares } from './fair-shares.ts';
import { Flow, type Lane, LaneQueue } from './flow.ts';
import { everything } from './footprint.ts';
import { Pace } from './pace.ts';
import { Scoreboard } from './scoreboard.ts';
import { Ticket } from './ticket.ts';
import {
  type NoTurn,
  retryAfter,
  type SchedulerOptions,
  type Turn,
  type TurnRequest,
  type Unserved,
  unserved,
} from './turn.ts';

/** Turns longer than this count as several, one for each begun span: weights share out time, not calls. */
const TURN_MS = 5;
/** A full event loop turn between commands costs a little; after this long it is others' turn. */
const SLICE_MS = 0.25;
/** Commands of one tenant, and of all together, that may be waiting for those in flight before them. */
const HELD_PER_TENANT = 4;
const HELD_MAX = 64;

/**
 * Gives out turns with one device. Tenants share them by weight, in the lane of tenants; operators and the broker itself
 * have lanes of their own. Of one tenant the order is that of asking. Every operation costs O(log n) at most.
 *
 * Where several commands may be in flight, a command whose turn has come still lets those finish that it must not
 * overtake on a resource, and what comes after it does not overtake it.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #clock: () => number;
  readonly #sliceMs: number;
  readonly #shares = new FairShares<LaneQueue>();
  readonly #lanes: { readonly [L in Lane]: LaneQueue };
  /** Everybody who ever had a turn: as many as there are tenants. */
  readonly #flows = new Map<string, Flow>();
  readonly #deadlines: Deadlines<Ticket>;
  readonly #board = new Scoreboard<Ticket>();
  /** Held ones whose way is free and that only a slot is missing for. */
  readonly #freed: Ticket[] = [];
  readonly #pace = new Pace();
  readonly #held = new Set<Ticket>();
  #running = 0;
  /** Barriers that run or are held. */
  #barriers = 0;
  /** Tenants who have something waiting. */
  #activeFlows = 0;
  #giving = false;
  #stamp = 0;
  #sliceBegan: number | undefined;
  /** Slices are numbered. */
  #slice = 0;
  #deferred = false;
  #closed = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#clock = options.nowMs ?? (() => performance.now());
    this.#sliceMs = options.sliceMs ?? SLICE_MS;
    this.#deadlines = new Deadlines(this.#clock, (ticket) =>
      this.#withdraw(ticket, 'deadline', this.#retryAfterMs(ticket.flow)),
    );
    this.#lanes = {
      broker: new LaneQueue('broker', 0),
      operators: new LaneQueue('operators', 1),
      tenants: new LaneQueue('tenants', 2),
    };
  }

  /** Turns that are being used. */
  get running(): number {
    return this.#running;
  }

  /** Commands that wait. */
  get waiting(): number {
    const { broker, operators, tenants } = this.#lanes;
    return broker.length + operators.length + tenants.length;
  }

  waitingIn(lane: Lane): number {
    return this.#lanes[lane].length;
  }

  waitingOf(tenant: string): number {
    return this.#flows.get(tenant)?.length ?? 0;
  }

  /** The answer itself where it is known at once, which is the rule; else a promise of it. Never rejects. */
  ask(request: TurnRequest): Turn | Unserved | Promise<Turn | Unserved> {
    const now = this.#clock();
    const flow = this.#flowOf(request);
    const ticket = new Ticket(request, flow, now);
    if (this.#closed) return unserved('closed', 0);
    if (ticket.cancellation?.cancelled === true) return unserved('cancelled', 0);
    if (ticket.deadlineMs <= now) return unserved('deadline', 0);
    const isFree = this.#running < this.#options.slots() && this.waiting === 0;
    if (!isFree) {
      const refusal = this.#refusal(ticket, now);
      if (refusal !== undefined) return refusal;
    } else if (this.#options.of === 'time' && this.#isSpent(now)) this.#deferred = true;
    else if (this.#comesFree(ticket)) return this.#start(ticket, now);
    return this.#wait(ticket, now);
  }

  /** Has the slice been used up? Begins one where there is none. */
  #isSpent(now: number): boolean {
    if (this.#sliceBegan === undefined) {
      this.#sliceBegan = now;
      setImmediate(() => this.#newSlice());
    }
    return now - this.#sliceBegan >= this.#sliceMs;
  }

  /** There may be more slots than before. */
  slotsChanged(): void {
    this.#next(this.#clock());
  }

  /** Refuses what waits and whatever is asked from now on. Turns that are under way go on. */
  close(): void {
    this.#closed = true;
    this.#deadlines.stop();
    for (const flow of this.#flows.values()) {
      for (let first = flow.first; first !== undefined; first = flow.first) this.#withdraw(first, 'closed', 0);
    }
    for (const ticket of [...this.#held]) this.#withdraw(ticket, 'closed', 0);
  }

  #flowOf({ tenant, lane }: TurnRequest): Flow {
    const known = this.#flows.get(tenant);
    if (known !== undefined) return known;
    const flow = new Flow(this.#options.weightOf(tenant), this.#lanes[lane]);
    this.#flows.set(tenant, flow);
    return flow;
  }

  /** Nobody waits and there is a slot: does anything in flight stand in its way? */
  #comesFree(ticket: Ticket): boolean {
    this.#take(ticket.flow);
    return this.#enterBoard(ticket);
  }

  #take(flow: Flow): void {
    flow.rank = ++this.#stamp;
    this.#shares.take(flow.lane);
    flow.lane.flows.take(flow);
  }

  #enterBoard(ticket: Ticket): boolean {
    if (this.#options.of === 'time') return true;
    if (this.#options.slots() === 1 && this.#running === 0 && this.#held.size === 0) return true;
    const footprint = ticket.footprint?.() ?? everything;
    ticket.isBarrier = footprint.kind === 'everything';
    if (ticket.isBarrier) this.#barriers++;
    return this.#board.enter(ticket, footprint);
  }

  /** Too many, or too late? */
  #refusal({ flow, deadlineMs }: Ticket, now: number): Unserved | undefined {
    if (flow.lane === this.#lanes.broker) return undefined;
    if (flow.length >= this.#options.queuePerTenant) return unserved('tenant-queue-full', this.#retryAfterMs(flow));
    const { operators, tenants } = this.#lanes;
    // However full the queue, everybody has room for his part of it: one tenant cannot fill it for the others.
    const fullTo = this.#options.queueMax / Math.max(1, this.#activeFlows + (flow.length === 0 ? 1 : 0));
    if (operators.length + tenants.length >= this.#options.queueMax && flow.length >= Math.max(1, Math.floor(fullTo))) {
      return unserved('queue-full', this.#retryAfterMs(flow));
    }
    const beginsMs = now + (this.#estimateMs(flow) ?? 0);
    return beginsMs > deadlineMs ? unserved('too-late', retryAfter(beginsMs - deadlineMs)) : undefined;
  }

  /** When asking again may be worth while: when what this tenant has waiting now has had its turns. */
  #retryAfterMs(flow: Flow): number {
    return retryAfter(this.#estimateMs(flow));
  }

  /** When the next command of this flow would begin, from the present backlog; undefined while nothing is known. */
  #estimateMs(flow: Flow): number | undefined {
    const { meanMs } = this.#pace;
    if (meanMs === undefined) return undefined;
    const { lane } = flow;
    const rounds = (flow.length + 1) / flow.weight;
    const othersWeight = lane.activeWeight - (flow.length > 0 ? flow.weight : 0);
    const inLane = flow.length + Math.min(lane.length - flow.length, rounds * othersWeight);
    let turns = inLane + this.#running / 2;
    for (const other of Object.values(this.#lanes)) {
      if (other !== lane) turns += Math.min(other.length, ((inLane + 1) * other.weight) / lane.weight);
    }
    // Without a slot nobody can say when there will be one again.
    return (turns * meanMs) / Math.max(1, this.#options.slots());
  }

  #wait(ticket: Ticket, now: number): Promise<Turn | Unserved> {
    const { flow, cancellation } = ticket;
    const answer = new Promise<Turn | Unserved>((resolve) => {
      ticket.resolve = resolve;
    });
    cancellation?.onCancel(() => this.#withdraw(ticket, 'cancelled', 0));
    if (flow.length === 0) {
      flow.lane.activeWeight += flow.weight;
      this.#activeFlows++;
    }
    flow.length++;
    flow.lane.length++;
    this.#deadlines.add(ticket, now);
    // Its turn was taken already where only an earlier command on the same resource is in its way.
    if (ticket.holds !== undefined) this.#hold(ticket);
    else {
      ticket.state = 'waiting';
      flow.push(ticket);
      this.#showFlow(flow);
      if (!this.#deferred) this.#give();
      else if (flow.slice !== this.#slice && this.#shares.next?.flows.next === flow) this.#giveOne();
    }
    return answer;
  }

  #hold(ticket: Ticket): void {
    ticket.state = 'held';
    ticket.flow.held++;
    this.#held.add(ticket);
  }

  /** A flow is in the heap while the next of it may be drawn. */
  #showFlow(flow: Flow): void {
    const { lane } = flow;
    if (flow.first !== undefined && flow.held < HELD_PER_TENANT) {
      if (flow.place < 0) {
        flow.rank = ++this.#stamp;
        lane.flows.enter(flow);
      }
    } else lane.flows.leave(flow);
    if (lane.flows.next !== undefined) this.#shares.enter(lane);
    else this.#shares.leave(lane);
  }

  /** Gives out turns while there are slots and somebody can use them. */
  #give(): void {
    if (this.#giving || this.#closed) return;
    this.#giving = true;
    while (this.#running < this.#options.slots()) {
      const ticket = this.#freed.shift() ?? this.#draw();
      if (ticket === undefined) break;
      const now = this.#clock();
      // The timer may be late where the event loop is busy.
      if (ticket.deadlineMs <= now) this.#withdraw(ticket, 'deadline', this.#retryAfterMs(ticket.flow));
      else this.#start(ticket, now);
    }
    this.#giving = false;
  }

  /** The slice has been used up, but not by whose turn it is: he need not wait for the next one. */
  #giveOne(): void {
    if (this.#running >= this.#options.slots() || this.#closed) return;
    const ticket = this.#draw();
    if (ticket !== undefined) this.#start(ticket, this.#clock());
  }

  /** Whoever's turn is next and may start now. Those that have to let others finish are put on hold on the way. */
  #draw(): Ticket | undefined {
    // Behind a barrier nothing could start anyway.
    while (this.#barriers === 0 && this.#held.size < HELD_MAX) {
      const flow = this.#shares.next?.flows.next;
      const ticket = flow?.first;
      if (flow === undefined || ticket === undefined) return undefined;
      flow.remove(ticket);
      this.#take(flow);
      ticket.state = 'drawn';
      const isFree = this.#enterBoard(ticket);
      if (!isFree) this.#hold(ticket);
      this.#showFlow(flow);
      if (isFree) return ticket;
    }
    return undefined;
  }

  #start(ticket: Ticket, now: number): Turn {
    if (ticket.resolve !== undefined) this.#stopsWaiting(ticket);
    ticket.state = 'running';
    ticket.startedMs = now;
    ticket.slice = this.#slice;
    ticket.flow.slice = this.#slice;
    this.#running++;
    const waitedMs = now - ticket.askedMs;
    const turn: Turn = { kind: 'turn', waitedMs, end: () => this.#end(ticket) };
    if (ticket.resolve !== undefined) {
      this.#options.onWaited?.(ticket.flow.lane.name, waitedMs);
      ticket.resolve(turn);
    }
    return turn;
  }

  /** Takes a ticket off every list of those that wait. */
  #stopsWaiting(ticket: Ticket): void {
    const { flow } = ticket;
    ticket.cancellation?.onCancel(undefined);
    this.#deadlines.remove(ticket);
    flow.length--;
    flow.lane.length--;
    if (flow.length === 0) {
      flow.lane.activeWeight -= flow.weight;
      this.#activeFlows--;
    }
    if (ticket.state !== 'held') return;
    flow.held--;
    this.#held.delete(ticket);
    this.#showFlow(flow);
  }

  #end(ticket: Ticket): void {
    if (ticket.state !== 'running') return;
    ticket.state = 'over';
    // The event loop has gone on since: it was not this one's work that took the time.
    if (this.#options.of === 'time' && ticket.slice !== this.#slice) return;
    this.#running--;
    const now = this.#clock();
    const usedMs = now - ticket.startedMs;
    this.#pace.add(usedMs);
    if (usedMs > TURN_MS) {
      const more = Math.ceil(usedMs / TURN_MS) - 1;
      this.#shares.charge(ticket.flow.lane, more);
      ticket.flow.lane.flows.charge(ticket.flow, more);
    }
    this.#leaveBoard(ticket);
    this.#next(now);
  }

  #leaveBoard(ticket: Ticket): void {
    if (ticket.holds === undefined) return;
    if (ticket.isBarrier) this.#barriers--;
    this.#freed.push(...this.#board.leave(ticket));
  }

  #next(now: number): void {
    if (this.waiting === 0) {
      // Within a slice nobody is at rest: its next request may be on its way already.
      if (this.#running === 0 && this.#sliceBegan === undefined) this.#rest();
      return;
    }
    if (this.#deferred) return;
    // A device that answers at once would keep everything else waiting: new requests would not even be read.
    if (this.#isSpent(now)) this.#deferred = true;
    else this.#give();
  }

  #newSlice(): void {
    this.#sliceBegan = undefined;
    this.#slice++;
    // Whoever still has a turn of this process's time waits for something else by now, a disk or a device.
    if (this.#options.of === 'time') this.#running = 0;
    this.#deferred = false;
    this.#next(this.#clock());
  }

  #rest(): void {
    this.#shares.rest();
    for (const lane of Object.values(this.#lanes)) lane.flows.rest();
  }

  #withdraw(ticket: Ticket, why: NoTurn, retryAfterMs: number): void {
    const { state, flow } = ticket;
    if (state !== 'waiting' && state !== 'drawn' && state !== 'held') return;
    this.#stopsWaiting(ticket);
    ticket.state = 'over';
    if (state === 'waiting') {
      flow.remove(ticket);
      this.#showFlow(flow);
    }
    const at = this.#freed.indexOf(ticket);
    if (at >= 0) this.#freed.splice(at, 1);
    this.#leaveBoard(ticket);
    ticket.resolve?.(unserved(why, retryAfterMs));
    if (this.#running < this.#options.slots() && this.waiting > 0 && !this.#deferred) this.#give();
    else if (this.#running === 0 && this.waiting === 0) this.#rest();
  }
}
