using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>One attachment to one replica: the control stream and the tunnels on its connection.</summary>
internal sealed class Link(
    ConnectorState state, ECDsa key, Instance instance, FenceFile fences, TunnelTable tunnels, DeviceSockets devices, ConnectorLog log,
    TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan _attachWithin = TimeSpan.FromSeconds(20);
    private readonly ServiceClient _service = new(state);
    private readonly TaskCompletionSource _attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _room;

    public Task Attached => _attached.Task;

    /// <summary>The replica shuts down: attach elsewhere while the streams of this link go on.</summary>
    public Task Draining => _draining.Task;

    /// <summary>Attaches and serves until the control stream ends; then every stream of the link is reset.</summary>
    public async Task Run(CancellationToken cancel)
    {
        try
        {
            using var attach = await Attach(cancel);
            await foreach (var message in ControlLines.Read(await attach.Content.ReadAsStreamAsync(cancel), cancel))
            {
                Handle(message);
            }
        }
        finally
        {
            await tunnels.CutLink(this);
        }
    }

    public void Dispose() => _service.Dispose();

    private async Task<HttpResponseMessage> Attach(CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(_attachWithin, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        using var ask = new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath);
        var challenge = await _service.Ask(ask, TunnelJson.Default.Challenge, both.Token);
        var statement =
            new AttachStatement(
                state.ServerName, state.Connector, Proof.RandomId(), challenge.Nonce, clock.GetUtcNow(), fences.Highest,
                ConnectorVersion.Text, instance.Id, instance.Generation);
        var request = new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.AttachPath)
        {
            Headers = { { TunnelProtocol.ConnectorHeader, state.Connector }, { TunnelProtocol.ProofHeader, Proof.Sign(key, statement) } },
        };
        var response = await _service.Send(request, both.Token);
        try
        {
            RefusedException.ThrowUnlessOk(response);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private void Handle(ControlMessage message)
    {
        switch (message)
        {
            case Hello hello:
                _room = Math.Min(hello.MaxTunnels, TunnelProtocol.MaxTunnels);
                log.Info($"attached session={hello.Session} replica={hello.Replica}");
                _attached.TrySetResult();
                break;
            case Dial dial:
                _ = Serve(dial);
                break;
            case Cut cut:
                _ = Confirm(cut);
                break;
            case Fences raised:
                _ = Raise(raised);
                break;
            case Permit permit:
                tunnels.Permit(permit);
                break;
            case Drain:
                log.Info("the replica drains; attaching elsewhere");
                _draining.TrySetResult();
                break;
        }
    }

    private async Task Serve(Dial dial)
    {
        OpenTunnel? tunnel = null;
        IDisposable? place = null;
        try
        {
            (tunnel, var code) = tunnels.Enter(dial, this, _room);
            Socket? device = null;
            if (tunnel is not null)
            {
                await fences.Flush();
                await tunnel.OvertakenClosed.WaitAsync(tunnel.Aborted);
                (device, place, code) =
                    await devices.Connect(dial.Host, dial.Port, TimeSpan.FromMilliseconds(dial.DeadlineMs), tunnel.Aborted);
            }

            if (device is null)
            {
                log.Info($"dial device={dial.Device} host={dial.Host} port={dial.Port} refused code={code}");
                await Put($"{TunnelProtocol.DialsPath}/{dial.Id}", new DialFailure(code, null));
                return;
            }

            log.Info($"dial device={dial.Device} host={dial.Host} port={dial.Port} connected run={dial.Run}");
            await Carry(dial, device, tunnel!);
        }
        catch (Exception e) when (tunnel is { Aborted.IsCancellationRequested: true })
        {
            log.Info($"stream device={dial.Device} cut ({e.GetType().Name})");
            await TryPut($"{TunnelProtocol.DialsPath}/{dial.Id}", new DialFailure(DialCodes.Fenced, "cut"));
        }
        catch (Exception e)
        {
            log.Info($"stream device={dial.Device} reset ({e.GetType().Name})");
            await TryPut($"{TunnelProtocol.DialsPath}/{dial.Id}", new DialFailure(DialCodes.Io, e.GetType().Name));
        }
        finally
        {
            place?.Dispose();
            if (tunnel is not null)
            {
                tunnels.Leave(tunnel);
            }
        }
    }

    /// <summary>
    /// FIN becomes END_STREAM and back; a reset of either side resets the other. The device's side is closed first. Nothing waits for
    /// HttpClient to end a broken stream, since under load it sometimes never did.
    /// </summary>
    private async Task Carry(Dial dial, Socket device, OpenTunnel tunnel)
    {
        var clean = false;
        var stream = new NetworkStream(device, ownsSocket: false);
        var request = new HttpRequestMessage(HttpMethod.Post, $"{TunnelProtocol.TunnelsPath}/{dial.Id}");
        var content = new DeviceContent(stream, tunnel.Aborted);
        request.Content = content;
        var sending = _service.Send(request, tunnel.Aborted);
        try
        {
            var response = await sending.WaitAsync(tunnel.Aborted);
            RefusedException.ThrowUnlessOk(response);
            var down = Down(await response.Content.ReadAsStreamAsync(tunnel.Aborted), stream, device, tunnel);
            await await Task.WhenAny(down, content.Sent);
            await Task.WhenAll(down, content.Sent);
            clean = true;
        }
        finally
        {
            if (!clean)
            {
                device.LingerState = new LingerOption(true, 0);
            }

            device.Dispose();
            // Also ends the direction that still waits.
            tunnel.Abort();
            _ = Task.Run(() => DisposeWhenSent(request, sending), CancellationToken.None);
        }
    }

    private static async Task DisposeWhenSent(HttpRequestMessage request, Task<HttpResponseMessage> sending)
    {
        using (request)
        {
            await ((Task)sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (sending.IsCompletedSuccessfully)
            {
                (await sending).Dispose();
            }
        }
    }

    // A host that was suspended wakes with bytes in its buffers; they must not reach the device after the permit has lapsed.
    private async Task Down(Stream service, NetworkStream stream, Socket device, OpenTunnel tunnel)
    {
        await StreamPump.Copy(service, stream, tunnel.Aborted, () => tunnels.ThrowIfLapsed(tunnel));
        device.Shutdown(SocketShutdown.Send);
    }

    private async Task Confirm(Cut cut)
    {
        try
        {
            await tunnels.Cut(cut);
            await Put($"{TunnelProtocol.CutsPath}/{cut.Id}", null);
        }
        catch (Exception e)
        {
            log.Warn($"cut not confirmed: {e.Message}");
        }
    }

    private async Task Raise(Fences raised)
    {
        try
        {
            await tunnels.Raise(raised);
        }
        catch (Exception e)
        {
            log.Warn($"fences not stored: {e.Message}");
        }
    }

    private async Task TryPut(string path, DialFailure body)
    {
        try
        {
            await Put(path, body);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            // The link is gone, and with it the dial.
        }
    }

    private async Task Put(string path, DialFailure? body)
    {
        using var timeout = new CancellationTokenSource(_attachWithin, clock);
        using var request = new HttpRequestMessage(HttpMethod.Put, path)
        {
            Content = new ByteArrayContent(body is null ? [] : JsonSerializer.SerializeToUtf8Bytes(body, TunnelJson.Default.DialFailure))
            {
                Headers = { ContentType = new("application/json") },
            },
        };
        using var response = await _service.Send(request, timeout.Token);
        if (response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotFound or HttpStatusCode.Gone))
        {
            log.Warn($"the service answered {(int)response.StatusCode} to PUT {path}");
        }
    }
}
