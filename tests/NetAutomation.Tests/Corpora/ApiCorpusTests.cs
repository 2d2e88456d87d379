using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Web;
using NetAutomation.Web;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// Malformed requests of every operation of the served document, whole ones over HTTP/1.1 and HTTP/2 and bytes that are no request at all,
/// are the caller's fault and never the service's.
/// </summary>
public sealed class ApiCorpusTests(PostgresServer postgres)
{
    private const string Planted = "/v1/planted";
    private static readonly string[] _order = ["GET", "POST", "PATCH", "PUT", "DELETE"];
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_malformed_request_is_never_the_services_fault()
    {
        var corpus = new Corpus("api");
        // Several tenants, so that what is limited for one is not limited for all.
        var (tenants, whole, raw) = (Corpus.Alone ? 8 : 1, Corpus.Of(12_000, 400), Corpus.Of(8_000, 120));
        await using var fixture = await RunFixture.Start(
            postgres, configure: builder => builder.Services.AddSingleton<IStartupFilter>(new BrokenRoute()));
        var operations = await ApiOperation.All(fixture.Client);
        var full = new List<FullTenant> { await FullTenant.Fill(fixture, fixture.Tenant, operations) };
        while (full.Count < tenants)
        {
            full.Add(await FullTenant.Fill(fixture, await fixture.Host.CreateTenant(), operations));
        }

        var bytes = new RawRequests(operations, fixture.Host.Certificate.ServerName);
        await Raw(0, raw / 10);
        var before = Corpus.MemoryNow();
        await Raw(raw / 10, raw - (raw / 10));
        await Task.WhenAll(full.Select((tenant, number) => Whole(tenant, number)));
        await Plant();

        using var still = await fixture.Host.CreateTenant() is var next ? await next.Client.GetAsync("/v1/me") : null;
        if (still?.StatusCode != HttpStatusCode.OK)
        {
            corpus.Found(Harm.Crash, "the service answers no more");
        }

        corpus.Counted("refused").ShouldBeGreaterThan(whole / 4);
        corpus.JudgeMemory(before);
        corpus.Judge(whole + raw);

        // By verb, since a deletion leaves the later requests nothing to be about.
        async Task Whole(FullTenant tenant, int number)
        {
            using var second = fixture.Host.Customer(tenant.Tenant.EndpointId, tenant.Tenant.Key, http2: true);
            var share = whole / tenants;
            var order = operations.OrderBy(each => Array.IndexOf(_order, each.Verb)).ToList();
            for (var i = 0; i < share; i++)
            {
                var input = (number * share) + i;
                var dice = Corpus.Dice(input);
                var operation = order[(int)((long)i * order.Count / share)];
                var attack = new ApiAttacks(dice, tenant).Next(operation);
                using var request = attack.Request;
                var client = dice.Next(2) == 0 ? tenant.Client : second;
                if (client == second)
                {
                    (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
                }

                var what = $"{input}: {operation.Verb} {request.RequestUri} {attack.What}";
                try
                {
                    using var deadline = new CancellationTokenSource(_patience);
                    using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token);
                    Judge((int)answer.StatusCode, what);
                    if (answer.Headers.RetryAfter?.Delta is { } wait && answer.StatusCode == HttpStatusCode.TooManyRequests)
                    {
                        await Task.Delay(wait < _patience ? wait : _patience);
                    }
                }
                catch (HttpRequestException closed)
                {
                    // The client, too, has things that it does not send; the server may close instead of answering.
                    corpus.Count(closed.InnerException is IOException ? "closed" : "notSent");
                }
                catch (OperationCanceledException)
                {
                    corpus.Found(Harm.Crash, $"no answer: {what}");
                }

                if (i % 500 == 499)
                {
                    corpus.Progress(i + 1, share);
                }
            }
        }

        Task Raw(int first, int count) => Parallel.ForEachAsync(
            Enumerable.Range(first, count), new ParallelOptions { MaxDegreeOfParallelism = 12 },
            async (input, cancel) =>
            {
                var dice = Corpus.Dice(1_000_000 + input);
                var tenant = full[input % full.Count];
                var http2 = dice.Next(3) == 0;
                var (sent, oddVersion) = http2 ? (bytes.Http2(dice, tenant), false) : bytes.Http1(dice, tenant);
                var statuses = await RawRequests.Ask(
                    Address, fixture.Host.Certificate, tenant.Tenant.EndpointId, sent, http2, cancel);
                foreach (var status in statuses)
                {
                    // 505 is HTTP's own answer to a version of HTTP that it does not know (RFC 9110, 15.6.6), and the server's, not ours.
                    Judge(
                        status == 505 && oddVersion ? 400 : status,
                        $"raw {input}: {Encoding.Latin1.GetString(sent[..Math.Min(sent.Length, 160)])}");
                }

                corpus.Count(http2 ? "rawHttp2" : "rawHttp1");
            });

        async Task Plant()
        {
            var second = fixture.Host.Customer(full[0].Tenant.EndpointId, full[0].Tenant.Key, http2: true);
            foreach (var client in new[] { full[0].Client, second })
            {
                using var answer = await client.GetAsync(Planted);
                corpus.Planted((int)answer.StatusCode >= 500, "a route that throws");
            }

            foreach (var http2 in new[] { false, true })
            {
                var sent = http2 ? bytes.Get2(Planted) : Encoding.ASCII.GetBytes($"GET {Planted} HTTP/1.1\r\nHost: x\r\n\r\n");
                var statuses = await RawRequests.Ask(
                    Address, fixture.Host.Certificate, full[0].Tenant.EndpointId, sent, http2, CancellationToken.None);
                corpus.Planted(statuses.Exists(status => status >= 500), $"a route that throws, by bytes, HTTP/{(http2 ? 2 : 1)}");
            }
        }

        void Judge(int status, string what)
        {
            corpus.Count(status switch { 429 => "limited", >= 400 => "refused", _ => "accepted" });
            if (status >= 500)
            {
                corpus.Found(Harm.ServerError, $"{status}: {what}");
            }
        }

        IPEndPoint Address() => fixture.Host.Address(Listener.Customer);
    }

    /// <summary>A route in front of the product that fails as a route of it would.</summary>
    private sealed class BrokenRoute : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, then) => context.Request.Path == Planted ? throw new InvalidOperationException("planted") : then(context));
            next(app);
        };
    }
}
