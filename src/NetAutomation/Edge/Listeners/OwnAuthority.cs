using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// Returns the configured certificate, or one of our own authority. The first start makes that authority and keeps it, so that the
/// authority that connectors pinned is still valid after a restart.
/// </summary>
internal static class OwnAuthority
{
    private static readonly TimeSpan _authorityLife = TimeSpan.FromDays(3650);
    private static readonly TimeSpan _serverLife = TimeSpan.FromDays(397);
    private static readonly TimeSpan _renewBefore = TimeSpan.FromDays(30);

    public static ServerCertificate Load(EdgeOptions options, TimeProvider clock)
    {
        if (options.CertificateFile.Length > 0)
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(options.CertificateFile);
            chain.RemoveAt(0);
            var configured = X509Certificate2.CreateFromPemFile(options.CertificateFile, options.CertificateKeyFile);
            return new ServerCertificate(configured, chain, options.ServerName, File.ReadAllText(options.CertificateAuthorityFile));
        }

        var folder =
            Directory.CreateDirectory(
                options.CertificateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        using var alone = Lock(Path.Combine(folder, "lock"));
        var now = clock.GetUtcNow();
        var (authorityFile, serverFile) = (Path.Combine(folder, "ca.pem"), Path.Combine(folder, "server.pem"));
        if (!File.Exists(authorityFile))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var made = MakeAuthority(key, now);
            Write(authorityFile, key, made);
        }

        using var authority = Read(authorityFile);
        var server = File.Exists(serverFile) ? Read(serverFile) : null;
        if (server is null || server.NotAfter.ToUniversalTime() - now.UtcDateTime < _renewBefore
            || !server.MatchesHostname(options.ServerName))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var made = MakeServer(authority, key, options.ServerName, now);
            Write(serverFile, key, made);
            server?.Dispose();
            server = Read(serverFile);
        }

        return new ServerCertificate(server, [], options.ServerName, authority.ExportCertificatePem());
    }

    private static X509Certificate2 MakeAuthority(ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=NetAutomation own authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request.CreateSelfSigned(now.AddHours(-1), now + _authorityLife);
    }

    private static X509Certificate2 MakeServer(X509Certificate2 authority, ECDsa key, string name, DateTimeOffset now)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        var end = now + _serverLife;
        var last = new DateTimeOffset(authority.NotAfter);
        return request.Create(authority, now.AddHours(-1), end < last ? end : last, RandomNumberGenerator.GetBytes(16));
    }

    private static X509Certificate2 Read(string file)
    {
        var pem = File.ReadAllText(file);
        return X509Certificate2.CreateFromPem(pem, pem);
    }

    private static void Write(string file, ECDsa key, X509Certificate2 certificate)
    {
        var temporary = file + ".new";
        File.Delete(temporary);
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        using (var writer = new StreamWriter(stream))
        {
            writer.WriteLine(certificate.ExportCertificatePem());
            writer.WriteLine(key.ExportPkcs8PrivateKeyPem());
        }

        File.Move(temporary, file, overwrite: true);
    }

    // Two processes may start on one folder at the same time.
    private static FileStream Lock(string file)
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                Thread.Sleep(100);
            }
        }

        throw new IOException($"{file} is held by another process.");
    }
}
