using System.Net;
using System.Net.Sockets;
using System.Text;

namespace NetAutomation.EndToEnd;

public sealed class IdentityTests(LocalProduct product)
{
    [Fact]
    public async Task Key_through_its_own_endpoint_lists_the_blocks()
    {
        var customer = await product.Customer(1);

        var blocks = await customer.Get("/v1/blocks");

        blocks["items"]!.AsArray().Select(block => Customer.Text(block!, "block")).ShouldContain("static-routes");
    }

    [Fact]
    public async Task Key_through_the_endpoint_of_another_customer_is_refused()
    {
        var (first, second) = (await product.Customer(1), await product.Customer(2));
        using var stray = first.Through(second);

        using var answer = await stray.GetAsync(new Uri("/v1/blocks", UriKind.Relative), TestContext.Current.CancellationToken);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Connection_without_the_load_balancer_is_closed_without_a_word()
    {
        await product.Customer(1);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, product.PortBase + 1, deadline.Token);

        int read;
        try
        {
            await socket.SendAsync(
                Encoding.ASCII.GetBytes("GET /v1/blocks HTTP/1.1\r\nHost: netautomation.internal\r\n\r\n"), deadline.Token);
            read = await socket.ReceiveAsync(new byte[1], deadline.Token);
        }
        catch (SocketException reset) when (reset.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            read = 0;
        }

        read.ShouldBe(0);
    }

    [Fact]
    public async Task Endpoint_of_an_account_without_subscription_is_rejected_and_leads_nowhere()
    {
        var (first, second) = (await product.Customer(1), await product.Customer(2));

        var endpoints = (await product.Simulator("/control/endpoints")).AsArray();

        var stranger =
            endpoints.Single(
                each => Customer.Text(each!, "account") != first.Account && Customer.Text(each!, "account") != second.Account)!;
        Customer.Text(stranger, "state").ShouldBe("rejected");
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var refused = await Should.ThrowAsync<SocketException>(async () =>
        {
            await socket.ConnectAsync(IPAddress.Parse(Customer.Text(stranger, "listenAddress")), 8443, deadline.Token);
            // The simulated load balancer accepts and resets, as a real one without a target does.
            if (await socket.ReceiveAsync(new byte[1], deadline.Token) == 0)
            {
                throw new SocketException((int)SocketError.ConnectionReset);
            }
        });
        refused.SocketErrorCode.ShouldBeOneOf(SocketError.ConnectionReset, SocketError.ConnectionRefused);
    }
}
