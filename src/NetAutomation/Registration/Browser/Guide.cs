using NetAutomation.Tenants;
using NetAutomation.Tenants.Accounts;

namespace NetAutomation.Registration.Browser;

/// <summary>The values in the commands on the page.</summary>
/// <param name="ServiceName">com.amazonaws.vpce.REGION.vpce-svc-…</param>
/// <param name="Region">The service's Region.</param>
/// <param name="ServerName">The name on the certificate.</param>
/// <param name="PrivateDns">The server's name resolves in a VPC whose endpoint has private DNS on.</param>
/// <param name="Release">Version of the connector; null where this service offers none.</param>
internal sealed record GuideFacts(string ServiceName, string Region, string ServerName, string CaPem, bool PrivateDns, string? Release);

/// <summary>The steps from a subscription to the first run, each with its commands.</summary>
internal static class Guide
{
    private static readonly (string Step, string Title)[] _steps =
    [
        ("subscription", "Your subscription"), ("accounts", "Your AWS accounts"), ("endpoint", "A VPC endpoint"),
        ("key", "Your first API key"), ("connector", "A connector in your network"), ("run", "Your first run"),
    ];

    public static string Html(TenantId tenant, RegistrationProgress progress, GuideFacts facts) =>
        $"""
        <p>Tenant <code id="tenant">{tenant}</code>: <b id="state">{PageHtml.Text(progress.State)}</b></p>
        {progress.State switch
        {
            "ended" => """
                <p>The subscription has ended. For a while you may still read and export your data. If you subscribed again, open this page
                again from AWS Marketplace.</p>
                """,
            "suspended" => "<p>Your access is suspended: reads and cancels work, nothing new starts. Please ask us.</p>",
            _ => Steps(progress, facts),
        }}
        """;

    /// <summary>The page that shows the first key.</summary>
    public static string Key(string key, RegistrationProgress progress, GuideFacts facts) =>
        $"""
        <h2>Your first API key</h2>
        <p>It has the role admin and is <b>shown this once</b>. Keep it like a password.</p>
        {PageHtml.Code("api-key", key)}
        <p>From a host in your VPC that reaches the endpoint, once:</p>
        {PageHtml.Code("setup", Setup(progress, facts))}
        <p>Paste the key when it asks, and then:</p>
        {PageHtml.Code("me", "na /v1/me")}
        <p><a href="{RegisterBuyer.Path}">Go on: connector and first run</a></p>
        """;

    private static string Steps(RegistrationProgress progress, GuideFacts facts)
    {
        var now = Array.FindIndex(_steps, each => each.Step == progress.Step);
        var steps = _steps.Select((each, i) => (i == now, IsDone: now < 0 || i < now) switch
        {
            (true, _) => $"<li id=\"step-{each.Step}\" class=\"now\" aria-current=\"step\"><h2>{i + 1}. {each.Title}</h2>",
            (_, true) =>
                $"<li id=\"step-{each.Step}\" class=\"done\"><h2>{i + 1}. {each.Title} "
                + "<span class=\"tick\" role=\"img\" aria-label=\"done\">✓</span></h2>",
            _ => $"<li id=\"step-{each.Step}\" class=\"later\"><h2>{i + 1}. {each.Title}</h2>",
        } + Body(each.Step, i <= now || now < 0, progress, facts) + "</li>");
        return $"<ol>\n{string.Join('\n', steps)}\n</ol>";
    }

    private static string Body(string step, bool open, RegistrationProgress progress, GuideFacts facts) => step switch
    {
        "subscription" when progress.State == "pending" =>
            "<p>Waiting for AWS Marketplace to confirm the subscription. This takes a minute or two; this page goes on by itself.</p>",
        "subscription" => "<p>AWS Marketplace has confirmed it.</p>",
        "key" when !open => "<p>It is issued here once an endpoint is available.</p>",
        _ when !open => "",
        "accounts" => Accounts(progress),
        "endpoint" => Endpoint(progress, facts),
        "key" => FirstKey(progress),
        "connector" => Connector(facts),
        _ => Run(),
    };

    private static string Accounts(RegistrationProgress progress) =>
        $"""
        <p>AWS accounts that may create endpoints: <code>{PageHtml.Text(string.Join(", ", progress.Accounts))}</code></p>
        {(progress.MayConnect ? "" : "<p>Preparing access for your AWS account.</p>")}{string.Concat(progress.Claims.Select(Claim))}
        <details{(progress.Claims.Count > 0 ? " open" : "")}><summary>Endpoints from another account of yours</summary>
        <p>An account counts once you prove it. One that belongs to several of our customers is fine: we then decide for each of its
        endpoints whose it is.</p>
        <form method="post" action="{RegisterBuyer.Path}/accounts">
        <label>AWS account id <input name="account" required inputmode="numeric" pattern="[0-9]{12}" autocomplete="off"></label>
        <button>Claim the account</button></form></details>
        """;

    private static string Claim(Challenge claim) =>
        $"""
        <h3>Account {PageHtml.Text(claim.Account)} is not proven yet</h3>
        {(claim.Nonce.Length == 0
            ? "<p>Its challenge has expired: claim it again below. We can also approve it: ask us.</p>"
            : $"""
            <p>Run this with credentials of that account (Python with boto3), before {claim.ExpiresAt:HH:mm} UTC. It signs a question to AWS
            about who you are and sends nothing:</p>
            {PageHtml.Code($"proof-{claim.Account}", Proof(claim.Nonce))}
            <form method="post" action="{RegisterBuyer.Path}/accounts/prove">
            <input type="hidden" name="account" value="{PageHtml.Text(claim.Account)}">
            <label>What it printed
            <textarea name="url" rows="4" required maxlength="{CallerIdentity.LongestUrl}" spellcheck="false"></textarea></label>
            <button>Prove the account</button></form>
            """)}
        """;

    private static string Endpoint(RegistrationProgress progress, GuideFacts facts) =>
        $"""
        <p>Endpoint service: <code id="service-name">{PageHtml.Text(facts.ServiceName)}</code>,
        TCP 8443 for the API and 8444 for connectors.
        {(facts.PrivateDns ? $"With private DNS it is <code>{PageHtml.Text(facts.ServerName)}</code> in your VPC." : "")}</p>
        <p>With the AWS CLI:</p>
        {PageHtml.Code("cli", Cli(facts))}
        <p>Or with Terraform:</p>
        {PageHtml.Code("terraform", Terraform(facts))}
        <p>The subnets must be in Availability Zones that the service has. In a VPC of another Region add
        <code>--service-region {facts.Region}</code> (Terraform: <code>service_region</code>) and give your own Region as
        <code>--region</code>; it works where we offer the service to your Region.</p>
        <div class="wide" aria-live="polite"><table>
        <thead><tr><th>Endpoint</th><th>Account</th><th>State</th><th>Reason</th></tr></thead>
        <tbody id="connections">{string.Concat(progress.Connections.Select(Row))}</tbody></table></div>
        <p>{(progress.Connections.Count > 0
            ? "" : "Your endpoint shows here a few seconds after you created it, and is accepted by itself.")}</p>
        """;

    private static string Row(RegistrationProgress.Connection connection) =>
        $"<tr><td><code>{PageHtml.Text(connection.EndpointId)}</code></td><td>{PageHtml.Text(connection.Account)}</td>"
        + $"<td>{PageHtml.Text(connection.State)}</td><td>{PageHtml.Text($"{connection.Reason} {connection.Advice}".Trim())}</td></tr>";

    private static string FirstKey(RegistrationProgress progress) => progress.HasKey
        ? "<p>The first API key was issued. Who holds it can issue more; if it is lost, ask us for another.</p>"
        : $"""
        <p>The key is shown once, on the next page.</p>
        <form method="post" action="{RegisterBuyer.Path}/key"><button>Show my first API key</button></form>
        """;

    private static string Connector(GuideFacts facts) =>
        $"""
        <p>On a Linux host that reaches both the endpoint and your devices, with <code>na</code> from the page of the key:</p>
        {PageHtml.Code("connector", Join(facts))}
        <p>This page goes on once it has joined.</p>
        """;

    private static string Join(GuideFacts facts) =>
        $$"""
        SITE=$(na /v1/sites -X POST --json '{"name":"main"}' | jq -r .id)
        na /v1/connectors -X POST --json '{"name":"main-1","siteId":"'$SITE'"}' > connector.json
        jq -r .caPem connector.json > ca.pem; jq -r .joinToken connector.json > join-token; rm connector.json
        {{(facts.Release is { } release
            ? $"na /v1/connector-releases/{release}/linux-x64 -o netautomation-connector && chmod +x netautomation-connector"
            : "# netautomation-connector is the program that you got from us.")}}
        sudo ./netautomation-connector join --endpoint "$ENDPOINT:8444" --server-name {{facts.ServerName}} \
          --ca ca.pem --token-file join-token --state /var/lib/netautomation-connector; rm join-token
        echo '10.0.0.1/32 22' > allow-list   # your devices: it reaches nothing else
        sudo ./netautomation-connector run --state /var/lib/netautomation-connector --allow-list allow-list
        """;

    private static string Run() => PageHtml.Code(
        "run",
        """
        read -r -p 'Platform of the device: ' PLATFORM; read -rs -p 'Password of the device: ' PASSWORD
        CREDENTIAL=$(jq -n --arg p "$PASSWORD" '{name:"lab",kind:"password",username:"admin",password:$p}' |
          na /v1/credentials -X POST --json @- | jq -r .id)
        DEVICE=$(na /v1/devices -X POST --json '{"name":"router-1","siteId":"'$SITE'","address":"10.0.0.1","port":22,
          "platform":"'$PLATFORM'","credentialId":"'$CREDENTIAL'","labels":{},"enabled":true}' | jq -r .id)
        na /v1/devices/$DEVICE:test -X POST
        na /v1/purchases -X POST -H 'Idempotency-Key: first-purchase-01' --json '{"block":"config-backup","kind":"pay_per_use"}'
        RUN=$(na /v1/runs -X POST -H 'Idempotency-Key: first-run-of-ours' \
          --json '{"block":"config-backup","targets":{"deviceIds":["'$DEVICE'"]},"input":{}}' | jq -r .id)
        na "/v1/runs/$RUN?wait=60" | jq '{state, summary, charged}'
        """) + """
        <p>The test pins the device's host key and must say that it is reachable. The run only reads. The documentation of all calls is at
        <code>/swagger</code> on your endpoint.</p>
        """;

    private static string Setup(RegistrationProgress progress, GuideFacts facts)
    {
        var endpoint = facts.PrivateDns
            ? $"ENDPOINT={facts.ServerName}"
            : $"""
            ENDPOINT=$(aws ec2 describe-vpc-endpoints --region {facts.Region} \
              --vpc-endpoint-ids {progress.Connections.Find(each => each.State == "available")?.EndpointId ?? "vpce-…"} \
              --query 'VpcEndpoints[0].DnsEntries[0].DnsName' --output text)
            """;
        return $$"""
            {{endpoint}}
            cat > netautomation-ca.pem <<'PEM'
            {{facts.CaPem.Trim()}}
            PEM
            (umask 077; read -rs -p 'API key: ' KEY; printf 'Authorization: Bearer %s' "$KEY" > netautomation.header)
            na() { curl -sS --fail-with-body --cacert netautomation-ca.pem --connect-to "{{facts.ServerName}}:8443:$ENDPOINT:8443" \
              -H @netautomation.header "https://{{facts.ServerName}}:8443$1" "${@:2}"; }
            """;
    }

    private static string Cli(GuideFacts facts) =>
        $"""
        VPC=vpc-…  SUBNETS="subnet-… subnet-…"  CLIENTS=10.0.0.0/8
        GROUP=$(aws ec2 create-security-group --region {facts.Region} --group-name netautomation \
          --description "NetAutomation endpoint" --vpc-id "$VPC" --query GroupId --output text)
        aws ec2 authorize-security-group-ingress --region {facts.Region} --group-id "$GROUP" \
          --protocol tcp --port 8443-8444 --cidr "$CLIENTS"
        aws ec2 create-vpc-endpoint --region {facts.Region} --vpc-endpoint-type Interface \
          --service-name {facts.ServiceName}{(facts.PrivateDns ? " --private-dns-enabled" : "")} \
          --vpc-id "$VPC" --subnet-ids $SUBNETS --security-group-ids "$GROUP"
        """;

    private static string Terraform(GuideFacts facts) =>
        $$"""
        resource "aws_security_group" "netautomation" {
          name_prefix = "netautomation-"
          vpc_id      = var.vpc_id

          ingress {
            from_port   = 8443
            to_port     = 8444
            protocol    = "tcp"
            cidr_blocks = var.client_cidrs
          }
        }

        resource "aws_vpc_endpoint" "netautomation" {
          vpc_endpoint_type   = "Interface"
          service_name        = "{{facts.ServiceName}}"
          vpc_id              = var.vpc_id
          subnet_ids          = var.subnet_ids
          security_group_ids  = [aws_security_group.netautomation.id]
          private_dns_enabled = {{(facts.PrivateDns ? "true" : "false")}}
        }
        """;

    private static string Proof(string challenge) =>
        $"""
        import boto3
        sts = boto3.client("sts", region_name="us-east-1", endpoint_url="https://sts.us-east-1.amazonaws.com")
        sts.meta.events.register("before-sign.sts.GetCallerIdentity",
            lambda request, **_: request.headers.add_header("{CallerIdentity.Header}", "{challenge}"))
        print(sts.generate_presigned_url("get_caller_identity", ExpiresIn=900, HttpMethod="GET"))
        """;
}
