export function MaintainPage({ tab }: { tab: string }) {
  return <main className="talk maintain" id="talk">{tab}</main>;
}
