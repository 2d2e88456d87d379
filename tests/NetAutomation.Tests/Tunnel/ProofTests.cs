using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Tunnel;

public sealed class ProofTests
{
    [Fact]
    public void Statement_opens_with_the_public_key_of_its_signer_alone()
    {
        using var key = Proof.CreateKey();
        using var other = Proof.CreateKey();
        var statement =
            new AttachStatement(
                "aud", "con", "link", "nonce", new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero), 5, "1.0.0", "instance", 3);
        var proof = Proof.Sign(key, statement);
        using var known = Proof.ReadPublicKey(Proof.PublicKey(key))!;
        Proof.OpenAttach(known, proof).ShouldBe(statement);
        Proof.OpenAttach(other, proof).ShouldBeNull();
    }

    [Fact]
    public void Proof_of_one_purpose_does_not_serve_another()
    {
        using var key = Proof.CreateKey();
        Proof.OpenAttach(key, Proof.Sign(key, new JoinStatement("aud", "digest", "nonce"))).ShouldBeNull();
        // An attach statement contains all members of a check statement.
        Proof.OpenCheck(
            key, Proof.Sign(key, new AttachStatement("aud", "con", "link", "nonce", DateTimeOffset.UtcNow, 5, "1.0.0", "instance", 3)))
                .ShouldBeNull();
    }

    [Fact]
    public void Change_of_any_character_is_noticed()
    {
        using var key = Proof.CreateKey();
        var proof = Proof.Sign(key, new JoinStatement("aud", "digest", "nonce"));
        for (var i = 0; i < proof.Length; i++)
        {
            // The last character of an unpadded base64url text may contain unused bits.
            var changed = proof[..i] + (proof[i] == 'A' ? 'Q' : 'A') + proof[(i + 1)..];
            Proof.OpenJoin(key, changed).ShouldBeNull();
            Proof.OpenJoin(key, proof[..i]).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("not base64")]
    [InlineData("AAAA")]
    public void Text_that_is_no_key_is_refused(string text) => Proof.ReadPublicKey(text).ShouldBeNull();

    [Fact]
    public void Key_of_another_curve_is_refused()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        Proof.ReadPublicKey(Proof.PublicKey(key)).ShouldBeNull();
    }
}
