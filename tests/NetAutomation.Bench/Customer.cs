using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace NetAutomation.Bench;

/// <summary>A customer: a tenant with a bound endpoint, a key and devices.</summary>
/// <param name="Endpoint">Id of its endpoint.</param>
/// <param name="Client">An HTTP client through its endpoint with its key.</param>
/// <param name="Devices">In name order.</param>
internal sealed record Customer(Guid Tenant, string Endpoint, HttpClient Client, IReadOnlyList<string> Devices)
{
    public const string Block = "static-routes";

    /// <param name="number">A different number for each customer.</param>
    public static async Task<Customer> Make(Stack stack, int number = 0, bool http2 = false)
    {
        var (endpoint, key, tenant) =
            ($"vpce-{0x0123456789abcde0 + number:x17}", $"nak_{Convert.ToHexString(RandomNumberGenerator.GetBytes(21))}", Guid.NewGuid());
        await stack.Sql("insert into onboarding.tenant (tenant_id, name, state) values ($1, 'customer', 'active')", tenant);
        await stack.Sql(
            """
            with c as (
              insert into onboarding.endpoint_connection (id, service_id, endpoint_id, owner, endpoint_created_at, state)
              values ($1, 'other', $2, '999999999999', now(), 'available') returning id
            )
            insert into onboarding.binding (tenant_id, id, connection, endpoint_id) select $1, $1, id, $2 from c
            """,
            tenant, endpoint);
        await stack.Sql(
            """
            with admin as (
              insert into onboarding.member (tenant_id, id, name, role) values ($1, $1, 'bench', 'admin') returning *
            )
            insert into onboarding.api_key (tenant_id, id, sha256, prefix, name, member_id)
            select tenant_id, gen_random_uuid(), $2, 'nak_bench', 'bench', id from admin
            """,
            tenant, SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        return new(tenant, endpoint, stack.Client(endpoint, key, http2), []);
    }

    /// <summary>Creates customers that bought a block and have devices at a site with a connector.</summary>
    /// <param name="first">How many there are already.</param>
    public static async Task<IReadOnlyList<Customer>> CreateWithDevices(Stack stack, int customers, int devices, int first = 0)
    {
        var created = new List<Customer>();
        for (var i = 0; i < customers; i++)
        {
            var customer = await Make(stack, first + i, http2: true);
            await stack.Sql("insert into billing.account (tenant_id, channel) values ($1, 'direct')", customer.Tenant);
            var site = (await customer.Post("/v1/sites", new { name = "ams" })).GetProperty("id").GetString()!;
            await customer.Post(
                "/v1/credentials", new { name = "netops", username = "netops", kind = "password", password = "sample-secret" });
            await customer.Post("/v1/connectors", new { name = "c1", siteId = site });
            await stack.Sql(
                """
                insert into connectors.connector_session (tenant_id, id, connector_id, replica, seen_at)
                select tenant_id, id, id, 'bench', now() + interval '1 day' from connectors.connector where tenant_id = $1
                """,
                customer.Tenant);
            await customer.Post("/v1/purchases", new { block = Block, kind = "pay_per_use" });
            var csv = new StringBuilder("name,site,address,platform,credential,hostKeySha256\n");
            for (var n = 0; n < devices; n++)
            {
                csv.Append(
                    CultureInfo.InvariantCulture, $"r{n:0000},ams,10.{n / 250}.{n % 250}.1,frr,netops,SHA256:{new string('A', 42)}E\n");
            }

            using var import =
                await customer.Client.PostAsync("/v1/devices:import", new StringContent(csv.ToString(), Encoding.UTF8, "text/csv"));
            if (!import.IsSuccessStatusCode)
            {
                throw new InvalidOperationException(await import.Content.ReadAsStringAsync());
            }

            var ids = new List<string>();
            for (string? after = ""; after is not null;)
            {
                var page =
                    await customer.Client.GetFromJsonAsync<JsonElement>(
                        $"/v1/devices?limit=200{(after.Length > 0 ? $"&after={after}" : "")}");
                ids.AddRange(
                    page.GetProperty("items").EnumerateArray().OrderBy(each => each.GetProperty("name").GetString(), StringComparer.Ordinal)
                        .Select(each => each.GetProperty("id").GetString()!));
                after = page.GetProperty("next").GetString();
            }

            created.Add(customer with { Devices = ids });
        }

        return created;
    }

    /// <summary>The request body of a run on this number of devices.</summary>
    public object Run(int devices = 1, string mode = "apply") => new
    {
        block = Block, mode, targets = new { deviceIds = Devices.Take(devices) },
        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
    };

    public async Task<HttpResponseMessage> Send(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", $"bench-{Guid.NewGuid():n}");
        return await Client.SendAsync(request);
    }

    public async Task<JsonElement> Post(string path, object body)
    {
        using var answer = await Send(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path}: {text}");
    }
}
