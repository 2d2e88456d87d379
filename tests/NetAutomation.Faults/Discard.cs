using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;

namespace NetAutomation.Faults;

/// <summary>
/// A server that speaks as the service does and does nothing: what an attack costs the machine by itself is what it costs against this.
/// </summary>
internal sealed partial class Discard : IDisposable
{
    private const int SixteenBytesOfHeader = 16;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly X509Certificate2 _certificate = Certificate();

    public Discard()
    {
        _listener.Start(1024);
        _ = Accept();
    }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    public string CaPem => _certificate.ExportCertificatePem();

    public void Dispose()
    {
        _listener.Dispose();
        _certificate.Dispose();
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                _ = Serve(await _listener.AcceptSocketAsync());
            }
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private async Task Serve(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var header = new byte[SixteenBytesOfHeader];
            await stream.ReadExactlyAsync(header);
            await stream.ReadExactlyAsync(new byte[(header[14] << 8) | header[15]]);
            await using var tls = new SslStream(stream);
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificate = _certificate, ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                });
            await (tls.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2 ? tls.CopyToAsync(Stream.Null) : Answer(tls));
        }
        catch (Exception closed) when (Target.IsRefusal(closed))
        {
            // The generator has left.
        }
    }

    private static async Task Answer(SslStream tls)
    {
        using var reader = new StreamReader(tls, Encoding.Latin1, leaveOpen: true);
        var length = 0;
        while (await reader.ReadLineAsync() is { } line)
        {
            length = Length().Match(line) is { Success: true } found ? int.Parse(found.Groups["bytes"].ValueSpan) : length;
            if (line.Length > 0)
            {
                continue;
            }

            for (var buffer = new char[4096]; length > 0;)
            {
                var read = await reader.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, length)));
                if (read == 0)
                {
                    return;
                }

                length -= read;
            }

            await tls.WriteAsync("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"u8.ToArray());
        }
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={Target.ServerName}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(Target.ServerName);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    [GeneratedRegex("^content-length: (?<bytes>[0-9]{1,9})$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Length();
}
